import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { jaccard, shinglesOf, similarTexts } from '../../src/generation/min-hash.ts';

const similarity = (left: string, right: string) => jaccard(shinglesOf(left), shinglesOf(right));

describe('similarity', () => {
  test('is 1 for the same words, whatever the case, the marks and the articles', () => {
    expect(similarity('What color is the cat?', 'what color is a cat')).toBe(1);
  });

  test('counts shared words and pairs of words among all', () => {
    // 3 of 5 words and 2 of 4 pairs
    expect(similarity('what color is cat', 'what color is car')).toBeCloseTo(5 / 9);
  });

  test('sees who is left of whom', () => {
    expect(similarity('Is the cat left of the dog?', 'Is the dog left of the cat?')).toBeLessThan(0.6);
  });

  test('works in scripts without blanks', () => {
    expect(similarity('猫在哪里？', '猫在哪里')).toBe(1);
    expect(similarity('猫在哪里？', '狗在哪里？')).toBeLessThan(0.6);
  });
});

// Sentences of random words, each with copies in which a few words are others.
function sentences(count: number) {
  const random = seededRandom(1);
  const word = () => `w${random.integer(2000)}`;
  return Array.from({ length: count }, () => {
    const words = Array.from({ length: 12 + random.integer(12) }, word);
    const changed = words.map((old) => (random.uniform() < 0.06 ? word() : old));
    return { text: words.join(' '), copy: changed.join(' ') };
  });
}

describe.each([0.5, 0.7, 0.85, 1])('texts at least %d alike', (limit) => {
  const pairs = sentences(150);
  const shingles = pairs.map(({ text }) => shinglesOf(text));
  const index = similarTexts(limit);
  for (const [id, { text }] of pairs.entries()) index.add(String(id), text);

  test('are found, and no others', () => {
    let expected = 0;
    let found = 0;
    for (const { copy } of pairs) {
      const ofCopy = shinglesOf(copy);
      const alike = shingles.flatMap((ofText, id) => (jaccard(ofCopy, ofText) >= limit ? [String(id)] : []));
      const hits = index.find(copy);
      expect(alike).toEqual(expect.arrayContaining(hits));
      expected += alike.length;
      found += hits.length;
    }
    expect(expected).toBeGreaterThan(20);
    expect(found / expected).toBeGreaterThan(0.99);
  });
});

test('nothing is similar to anything in an empty index', () => {
  expect(similarTexts(0.85).find('What is it?')).toEqual([]);
});
