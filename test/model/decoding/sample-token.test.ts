import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { nucleus, sampleToken } from '../../../src/model/decoding/sample-token.ts';

const {
  logits,
  warped,
}: { logits: number[]; warped: { temperature: number; topP: number; probabilities: number[] }[] } = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../../fixtures/decoding.json'), 'utf8'),
).sampling;

describe.each(warped)('temperature $temperature, topP $topP', ({ temperature, topP, probabilities }) => {
  test("draws from the tokens that transformers' warpers leave", () => {
    const { tokens } = nucleus(Float32Array.from(logits), temperature, topP);
    const kept = [...probabilities.keys()].filter((token) => (probabilities[token] as number) > 0);
    expect([...tokens].sort((a, b) => a - b)).toEqual(kept);
  });

  test('draws each as often as it should', () => {
    const random = seededRandom(1);
    const counts = new Array<number>(logits.length).fill(0);
    const draws = 5_000;
    for (let draw = 0; draw < draws; draw++) {
      const token = sampleToken(Float32Array.from(logits), temperature, topP, random.uniform());
      counts[token] = (counts[token] as number) + 1;
    }
    for (const [token, count] of counts.entries()) expect(count / draws).toBeCloseTo(probabilities[token] as number, 1);
  });
});
