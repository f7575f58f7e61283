import { describe, expect, it } from 'vitest';
import { materializeMixture, readMixture, writeMixture } from '../../datasets/mixture.ts';
import type { TrainingSample } from '../../datasets/training-sample.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const samples = (source: string, count: number): TrainingSample[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `${source}-${index}`,
    source,
    picture: `/pictures/${index}.jpg`,
    prompt: '###Human: hello\n###Assistant: ',
    answer: 'The answer is (A) cat.',
    questionType: index % 2 === 0 ? 'image_scene' : undefined,
  }));

const parts = [
  { name: 'cc_sbu_align', samples: samples('cc_sbu_align', 25) },
  { name: 'aokvqa', samples: samples('aokvqa', 100) },
];

describe('materializeMixture', () => {
  it('draws each part by the square root of its size', () => {
    const { order } = materializeMixture({ parts, seed: 1, count: 6000 });
    // 5 of 15 draws.
    expect(order.filter((index) => index < 25).length / order.length).toBeCloseTo(1 / 3, 1);
  });

  it('draws by the sample ratio where one is given; the ratio 0 leaves a part out', () => {
    const share = (sampleRatio: number) => {
      const given = [{ ...parts[0], sampleRatio }, parts[1]] as typeof parts;
      const { order } = materializeMixture({ parts: given, seed: 1, count: 4000 });
      return order.filter((index) => index < 25).length / order.length;
    };
    expect(share(30)).toBeCloseTo(0.75, 1);
    expect(share(0)).toBe(0);
  });

  it('takes every sample of a part once before it takes one twice, in another order each pass', () => {
    const { order } = materializeMixture({ parts: [parts[1] as (typeof parts)[0]], seed: 1, count: 300 });
    const passes = [order.slice(0, 100), order.slice(100, 200), order.slice(200)];
    for (const pass of passes) expect(new Set(pass).size).toBe(100);
    expect(passes[0]).not.toEqual(passes[1]);
  });

  it('is the same for the same seed and another for another', () => {
    const order = (seed: number) => materializeMixture({ parts, seed, count: 50 }).order;
    expect(order(1)).toEqual(order(1));
    expect(order(1)).not.toEqual(order(2));
  });

  it('begins with the order of a shorter run', () => {
    const long = materializeMixture({ parts, seed: 1, count: 500 });
    expect(materializeMixture({ parts, seed: 1, count: 123 }).order).toEqual(long.order.slice(0, 123));
  });

  it('skips an empty part, and refuses a mixture with nothing in it', () => {
    const empty = { name: 'round1', samples: [] };
    expect(materializeMixture({ parts: [empty, ...parts], seed: 1, count: 10 }).order).toHaveLength(10);
    expect(() => materializeMixture({ parts: [empty], seed: 1, count: 10 })).toThrow(/nothing to draw from/);
  });
});

it('a written mixture reads back the same', async () => {
  const folder = await temporaryFolder();
  const mixture = materializeMixture({ parts, seed: 1, count: 64 });
  await writeMixture(folder, mixture);
  expect(await readMixture(folder)).toEqual(mixture);
});
