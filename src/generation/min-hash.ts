import { wordsOf } from './plain-text.ts';

/** Finds earlier texts that are nearly the same as a new one, among any number of them. */
export interface SimilarTexts {
  /** Ids of the added texts that are at least as similar as was set (Jaccard of the shingles), in order of addition. */
  find(text: string): string[];
  add(id: string, text: string): void;
}

/** The words of a text and its pairs of neighboring words, hashed to 32 bits; ascending, without duplicates. */
export type Shingles = Uint32Array;

const hashes = 64;

/** Makes shingles. Pairs of words distinguish "is the cat left of the dog" from "is the dog left of the cat". */
export function shinglesOf(text: string): Shingles {
  const words = wordsOf(text);
  const pairs = words.slice(1).map((word, index) => `${words[index]} ${word}`);
  return Uint32Array.from(new Set([...words, ...pairs].map(hash32))).sort();
}

/** Jaccard similarity, 0 to 1: shared / all. Two texts without words are the same. */
export function jaccard(left: Shingles, right: Shingles): number {
  if (left.length === 0 && right.length === 0) return 1;
  let shared = 0;
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const [a, b] = [left[i] as number, right[j] as number];
    if (a === b) shared += 1;
    if (a <= b) i += 1;
    if (b <= a) j += 1;
  }
  return shared / (left.length + right.length - shared);
}

/**
 * MinHash with locality-sensitive hashing (Broder 1997; Indyk and Motwani 1998): 64 hashes in bands; texts that share
 * a band are compared exactly, so that nothing less similar is found. The bands are narrow enough to find 99.9 percent of
 * the pairs exactly at the limit.
 *
 * @param similarity 0 to 1, above 0
 */
export function similarTexts(similarity: number): SimilarTexts {
  const rows = [16, 8, 4, 2].find((count) => 1 - (1 - similarity ** count) ** (hashes / count) >= 0.999) ?? 1;
  const bands = Array.from({ length: hashes / rows }, () => new Map<number, number[]>());
  const ids: string[] = [];
  const kept: Shingles[] = [];

  function bucketsOf(shingles: Shingles): number[] {
    const signature = signatureOf(shingles);
    return bands.map((_, band) => {
      let key = 0;
      for (let row = 0; row < rows; row += 1) key = mix(key ^ (signature[band * rows + row] as number));
      return key;
    });
  }

  return {
    find(text) {
      const shingles = shinglesOf(text);
      const candidates = new Set(bucketsOf(shingles).flatMap((key, band) => bands[band]?.get(key) ?? []));
      return [...candidates]
        .sort((left, right) => left - right)
        .filter((index) => jaccard(shingles, kept[index] as Shingles) >= similarity)
        .map((index) => ids[index] as string);
    },
    add(id, text) {
      const shingles = shinglesOf(text);
      const index = ids.push(id) - 1;
      kept.push(shingles);
      for (const [band, key] of bucketsOf(shingles).entries()) {
        const bucket = bands[band]?.get(key);
        if (bucket) bucket.push(index);
        else bands[band]?.set(key, [index]);
      }
    },
  };
}

function signatureOf(shingles: Shingles): Uint32Array {
  const signature = new Uint32Array(hashes).fill(0xffffffff);
  for (const shingle of shingles) {
    for (let index = 0; index < hashes; index += 1) {
      const value = mix(shingle ^ Math.imul(index + 1, 0x9e3779b9));
      if (value < (signature[index] as number)) signature[index] = value;
    }
  }
  return signature;
}

// The last steps of MurmurHash3: every bit of the input changes half of the bits.
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

// FNV-1a over UTF-16 code units.
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mix(hash);
}
