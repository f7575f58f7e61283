import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { groupNearDuplicates, roughRadius } from '../../../src/datasets/split/near-duplicates.ts';
import {
  fineBitsApart,
  hashPixels,
  type PerceptualHash,
  perceptualHash,
  roughBitsApart,
} from '../../../src/datasets/split/perceptual-hash.ts';
import { defaultFineBits } from '../../../src/datasets/split/split-manifest.ts';
import { copies, randomImage } from './images.ts';

test.each(Object.entries(copies))('a copy %s looks alike, another image does not', async (_, copied) => {
  for (let seed = 0; seed < 8; seed += 1) {
    const image = await randomImage(seed);
    const hash = await perceptualHash(image, {});
    const hashes = [
      hash,
      await perceptualHash(await copied(image), {}),
      await perceptualHash(await randomImage(seed + 1), {}),
    ];
    expect(groupNearDuplicates(hashes, { bits: defaultFineBits, largest: 3 }).map(({ members }) => members)).toEqual([
      [0, 1],
      [2],
    ]);
  }
});

test('bits are those of frequencies above the median', () => {
  // A wave along the rows, one that is 5 times as fast along the columns, and one that the rough bits leave out.
  const wave = (frequency: number, place: number) => Math.cos((Math.PI * frequency * (2 * place + 1)) / 128);
  const pixels = Array.from({ length: 4096 }, (_, index) => {
    const [row, column] = [index >> 6, index & 63];
    return 128 + 20 * wave(1, column) + 20 * wave(5, row) + 20 * wave(12, column);
  });
  const bitsIn = (words: Uint32Array) =>
    [...words].flatMap((word, index) =>
      Array.from({ length: 32 }, (_, bit) => ((word >>> bit) & 1 ? index * 32 + bit : -1)).filter((bit) => bit >= 0),
    );
  const hash = hashPixels(pixels);
  expect(bitsIn(hash.subarray(0, 2))).toEqual([0, 5 * 8 - 1]);
  expect(bitsIn(hash.subarray(2))).toEqual([0, 11, 5 * 16 - 1]);
});

test('images of one color look alike, whatever the color', () => {
  const hash = hashPixels(new Uint8Array(4096).fill(17));
  expect(fineBitsApart(hash, hashPixels(new Uint8Array(4096).fill(255)))).toBe(0);
});

/** Hashes in clusters, such as those of real images, with a few bits changed. */
function clusteredHashes(count: number, seed: number): PerceptualHash[] {
  const random = seededRandom(seed);
  const word = () => random.integer(2 ** 32);
  const centers = Array.from({ length: count / 4 }, () => Uint32Array.from({ length: 10 }, word));
  return Array.from({ length: count }, () => {
    const hash = Uint32Array.from(random.pick(centers));
    for (let change = random.integer(50); change > 0; change -= 1) {
      // Rough and fine bits change together: a fifth of the bits are rough.
      const bit = random.integer(320);
      hash[bit >> 5] = (hash[bit >> 5] as number) ^ (1 << (bit & 31));
    }
    return hash;
  });
}

test.each([1, 2, 3])('the groups are those that comparing all with all finds (%i)', (seed) => {
  expect(roughRadius(defaultFineBits)).toBe(12);
  const hashes = clusteredHashes(300, seed);
  const groups = groupNearDuplicates(hashes, { bits: 40, largest: 300 });
  const groupOf = hashes.map((_, index) => index);
  for (let changed = true; changed; ) {
    changed = false;
    for (const [right, hash] of hashes.entries()) {
      for (const [left, other] of hashes.entries()) {
        const alike = roughBitsApart(hash, other) <= roughRadius(40) && fineBitsApart(hash, other) <= 40;
        const smaller = Math.min(groupOf[left] as number, groupOf[right] as number);
        if (!alike || (groupOf[left] === smaller && groupOf[right] === smaller)) continue;
        groupOf[left] = smaller;
        groupOf[right] = smaller;
        changed = true;
      }
    }
  }
  const expected = new Map<number, number[]>();
  for (const [index, group] of groupOf.entries()) expected.set(group, [...(expected.get(group) ?? []), index]);
  expect(groups.map(({ members }) => members)).toEqual([...expected.values()]);
  expect(groups.length).toBeGreaterThan(50);
  expect(groups.length).toBeLessThan(290);
});

test('a chain of images is one group, unless it is too large: then images must be more alike', () => {
  const chain = Array.from({ length: 12 }, (_, link) => {
    const hash = new Uint32Array(10);
    // 10 fine bits from one to the next; 2 within each pair.
    for (let bit = 0; bit < (link >> 1) * 10 + (link & 1) * 2; bit += 1) {
      hash[2 + (bit >> 5)] = (hash[2 + (bit >> 5)] as number) | (1 << (bit & 31));
    }
    return hash;
  });
  const sizes = (largest: number) =>
    groupNearDuplicates(chain, { bits: 40, largest }).map(({ members, bits }) => [members.length, bits]);
  expect(sizes(12)).toEqual([[12, 40]]);
  expect(sizes(11)).toEqual(Array(6).fill([2, 5]));
  // Nothing more can be done about images that look the same.
  const same = Array.from({ length: 5 }, () => new Uint32Array(10));
  expect(groupNearDuplicates(same, { bits: 40, largest: 2 })).toEqual([{ members: [0, 1, 2, 3, 4], bits: 0 }]);
});
