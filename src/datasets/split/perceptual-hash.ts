/**
 * Hashes by what images look like: those of copies that were encoded again, resized, recolored or cropped a little differ in
 * few bits.
 */
import { type OpenSettings, squareBrightness } from '../../core/images/open-image.ts';

/**
 * Ten unsigned numbers of 32 bits. The first two are a rough hash, the other eight a finer one: which of the 63, or 255,
 * lowest frequencies of the brightness are above their median.
 */
export type PerceptualHash = Uint32Array;

/** Pixels a side that the transform sees; frequencies a side of the rough hash and of the fine one. */
const [SIDE, ROUGH, FINE] = [64, 8, 16];
const [ROUGH_WORDS, WORDS] = [2, 10];

/**
 * The hash of an image, by the method called pHash (http://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html):
 * the cosine transform of 64 × 64 pixels.
 *
 * @param source the path of a file, or its content
 * @throws InputError naming the file that can't be opened
 */
export async function perceptualHash(source: string | Buffer, settings: OpenSettings): Promise<PerceptualHash> {
  return hashPixels(await squareBrightness(source, SIDE, settings));
}

/** @param pixels brightness of 64 × 64 pixels, row by row */
export function hashPixels(pixels: ArrayLike<number>): PerceptualHash {
  const fine = lowFrequencies(pixels);
  const rough = fine.filter((_, index) => index % FINE < ROUGH && index < ROUGH * FINE);
  const hash = new Uint32Array(WORDS);
  writeBits(rough, hash.subarray(0, ROUGH_WORDS));
  writeBits(fine, hash.subarray(ROUGH_WORDS));
  return hash;
}

/** A bit for each value above the median; the first, the mean of the image, has none. */
function writeBits([, ...values]: readonly number[], words: Uint32Array): void {
  const middle = [...values].sort((left, right) => left - right)[values.length >> 1] as number;
  for (const [index, value] of values.entries()) {
    if (value > middle) words[index >> 5] = (words[index >> 5] as number) | (1 << (index & 31));
  }
}

/** Waves of the transform (DCT-II), from low to high. */
const waves = Array.from({ length: FINE }, (_, frequency) =>
  Float64Array.from({ length: SIDE }, (_, place) => Math.cos((Math.PI * frequency * (2 * place + 1)) / (2 * SIDE))),
);

/** The lowest frequencies of the transform, row by row. */
function lowFrequencies(pixels: ArrayLike<number>): number[] {
  const columns = waves.map((wave) =>
    Float64Array.from({ length: SIDE }, (_, row) => {
      let sum = 0;
      for (let place = 0; place < SIDE; place += 1) {
        sum += (pixels[row * SIDE + place] as number) * (wave[place] as number);
      }
      return sum;
    }),
  );
  return waves.flatMap((wave) =>
    columns.map((column) => {
      let sum = 0;
      for (let place = 0; place < SIDE; place += 1) sum += (column[place] as number) * (wave[place] as number);
      // Of an image of one color they are zero, but for rounding.
      return Math.round(sum);
    }),
  );
}

/** How many of the 64 rough bits differ. */
export function roughBitsApart(left: PerceptualHash, right: PerceptualHash): number {
  return differentBits(left, right, 0, ROUGH_WORDS);
}

/** How many of the 256 fine bits differ. */
export function fineBitsApart(left: PerceptualHash, right: PerceptualHash): number {
  return differentBits(left, right, ROUGH_WORDS, WORDS);
}

function differentBits(left: PerceptualHash, right: PerceptualHash, from: number, to: number): number {
  let bits = 0;
  for (let index = from; index < to; index += 1) bits += bitsIn((left[index] as number) ^ (right[index] as number));
  return bits;
}

/** How many bits of a number of 32 are set. */
export function bitsIn(number: number): number {
  const pairs = number - ((number >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
