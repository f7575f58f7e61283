import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type MixturePart, writeMixture } from '../../src/datasets/mixture.ts';
import { mixtureOrder } from '../../src/datasets/mixture-order.ts';
import type { ExchangeSample, TrainingSample } from '../../src/datasets/train-dataset.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const shares = [
  { name: 'cc_sbu_align', size: 25 },
  { name: 'aokvqa', size: 100 },
];

function draws(parts: Parameters<typeof mixtureOrder>[0]['parts'], count: number, seed = 1): number[] {
  const { sampleAt } = mixtureOrder({ parts, seed });
  return Array.from({ length: count }, (_, draw) => sampleAt(draw));
}

const shareOf = (order: readonly number[], below: number) =>
  order.filter((index) => index < below).length / order.length;

describe('mixtureOrder', () => {
  it('draws each part by the square root of its size', () => {
    // 5 of 15 draws.
    expect(shareOf(draws(shares, 6000), 25)).toBeCloseTo(1 / 3, 2);
  });

  it('draws by the sample ratio where one is given; the ratio 0 leaves a part out', () => {
    const share = (sampleRatio: number) =>
      shareOf(
        draws(
          [
            { name: 'cc_sbu_align', size: 25, sampleRatio },
            { name: 'aokvqa', size: 100 },
          ],
          4000,
        ),
        25,
      );
    expect(share(30)).toBeCloseTo(0.75, 2);
    expect(share(0)).toBe(0);
  });

  it('draws a part with a tiny ratio too, as often as it should', () => {
    const parts = [
      { name: 'rare', size: 10, sampleRatio: 1 },
      { name: 'common', size: 100, sampleRatio: 9999 },
    ];
    const rare = draws(parts, 200_000).filter((index) => index < 10).length;
    expect(rare).toBeGreaterThan(5);
    expect(rare).toBeLessThan(40);
  });

  it('takes every sample of a part once before it takes one twice, in another order each pass', () => {
    const order = draws([{ name: 'aokvqa', size: 100 }], 3000);
    const passes = Array.from({ length: 30 }, (_, pass) => order.slice(pass * 100, (pass + 1) * 100));
    for (const pass of passes) expect(new Set(pass).size).toBe(100);
    expect(passes[0]).not.toEqual(passes[1]);
  });

  it('is the same for the same seed and another for another', () => {
    expect(draws(shares, 50)).toEqual(draws(shares, 50));
    expect(draws(shares, 50)).not.toEqual(draws(shares, 50, 2));
  });

  it('is the same from any step on, and for any number of workers', () => {
    const whole = draws(shares, 9000);
    const { sampleAt } = mixtureOrder({ parts: shares, seed: 1 });
    expect(Array.from({ length: 500 }, (_, draw) => sampleAt(8000 + draw))).toEqual(whole.slice(8000, 8500));
    const workers = [0, 1, 2].map((worker) => {
      const own = mixtureOrder({ parts: shares, seed: 1 });
      return Array.from({ length: 3000 }, (_, turn) => own.sampleAt(turn * 3 + worker));
    });
    expect(whole.map((_, draw) => workers[draw % 3]?.[Math.floor(draw / 3)])).toEqual(whole);
    // Backwards too.
    expect([5000, 4000, 10].map(sampleAt)).toEqual([5000, 4000, 10].map((draw) => whole[draw]));
  });

  it('skips an empty part, and refuses a mixture with nothing in it', () => {
    const empty = { name: 'round1', size: 0 };
    expect(draws([empty, ...shares], 10)).toHaveLength(10);
    expect(draws([...shares, empty], 2000)).toHaveLength(2000);
    expect(() => mixtureOrder({ parts: [empty], seed: 1 })).toThrow(/no samples to draw/);
  });
});

describe('mixtureOrder of one part at a time', () => {
  const reference = [
    { name: 'cc_sbu_align', size: 70, sampleRatio: 60 },
    { name: 'aokvqa', size: 330, sampleRatio: 130 },
    { name: 'round1', size: 160, sampleRatio: 70 },
  ];
  const bounds = [70, 400, 560];
  const partOf = (sample: number) => bounds.findIndex((bound) => sample < bound);
  const grouped = (count: number, seed = 1) => {
    const { sampleAt } = mixtureOrder({ parts: reference, seed, drawsOfOnePart: 16 });
    return Array.from({ length: count }, (_, group) =>
      Array.from({ length: 16 }, (_unused, slot) => sampleAt(group * 16 + slot)),
    );
  };

  it('gives every group of draws one part, by the ratios, each group on its own', () => {
    const groups = grouped(6000);
    const parts = groups.map((group) => [...new Set(group.map(partOf))]);
    expect(parts.every((found) => found.length === 1)).toBe(true);
    for (const [part, { sampleRatio }] of reference.entries()) {
      const share = parts.filter(([found]) => found === part).length / groups.length;
      expect(share).toBeCloseTo(sampleRatio / 260, 1);
    }
    // As independent draws repeat, and a fixed sequence does not.
    const repeats = parts.filter(([found], group) => found === parts[group - 1]?.[0]).length / groups.length;
    expect(repeats).toBeCloseTo((60 ** 2 + 130 ** 2 + 70 ** 2) / 260 ** 2, 1);
  });

  it('repeats no sample of a part before its pass is over, and drops what makes no whole group', () => {
    const ofAlign = grouped(3000).filter(([first]) => partOf(first as number) === 0);
    const pass = ofAlign.slice(0, 4).flat();
    expect(new Set(pass).size).toBe(64);
    expect(ofAlign.slice(4, 8).flat()).not.toEqual(pass);
  });

  it('is the same from any step on, and for a longer run', () => {
    expect(grouped(500).slice(0, 200)).toEqual(grouped(200));
    const { sampleAt } = mixtureOrder({ parts: reference, seed: 1, drawsOfOnePart: 16 });
    expect([7000, 16, 0].map(sampleAt)).toEqual([7000, 16, 0].map((draw) => grouped(500).flat()[draw]));
  });

  it('takes a part with less samples than a group holds too', () => {
    const { sampleAt } = mixtureOrder({ parts: [{ name: 'few', size: 3 }], seed: 1, drawsOfOnePart: 16 });
    expect(new Set(Array.from({ length: 16 }, (_, draw) => sampleAt(draw)))).toEqual(new Set([0, 1, 2]));
  });
});

const part = (name: string, size: number): MixturePart => ({
  name,
  async *samples() {
    for (let index = 0; index < size; index += 1) {
      const image = `/images/${index}.jpg`;
      yield { id: `${name}-${index}`, source: name, image, prompt: 'hello', answer: 'The answer is (A) cat.' };
    }
  },
});

describe('writeMixture', () => {
  async function written(count: number) {
    const folder = await temporaryFolder();
    const total = await writeMixture(folder, { parts: [part('a', 25), part('b', 100)], seed: 1, count });
    const lines = (await readFile(join(folder, 'samples.jsonl'), 'utf8')).trimEnd().split('\n');
    const samples = lines.map((line) => JSON.parse(line) as TrainingSample);
    const order: number[] = JSON.parse(await readFile(join(folder, 'order.json'), 'utf8'));
    return { total, samples, order, files: await readdir(folder) };
  }

  it('writes the samples that are drawn, and which is drawn when', async () => {
    const { total, samples, order, files } = await written(10_000);
    expect(total).toBe(125);
    expect(samples).toHaveLength(125);
    const parts = [
      { name: 'a', size: 25 },
      { name: 'b', size: 100 },
    ];
    expect(order).toEqual(draws(parts, 10_000));
    expect(files.sort()).toEqual(['order.json', 'samples.jsonl']);
  });

  describe('with requests to draw', () => {
    const captions: MixturePart = {
      name: 'captions',
      async *samples() {
        for await (const sample of part('captions', 20).samples())
          yield { ...(sample as ExchangeSample), kind: 'request' };
      },
    };
    const requests = ['Describe it. ', 'Look at it. ', 'Say what it shows. '];

    async function promptsOf(drawsOfOnePart?: number): Promise<string[]> {
      const folder = await temporaryFolder();
      const parts = [captions, part('questions', 40)];
      expect(await writeMixture(folder, { parts, seed: 1, count: 800, drawsOfOnePart, requests })).toBe(60);
      const lines = (await readFile(join(folder, 'samples.jsonl'), 'utf8')).trimEnd().split('\n');
      const order: number[] = JSON.parse(await readFile(join(folder, 'order.json'), 'utf8'));
      return order.map((line) => (JSON.parse(lines[line] as string) as ExchangeSample).prompt);
    }

    it('shows each request sample with one of them, drawn each time, and questions as they are', async () => {
      const prompts = await promptsOf();
      for (const request of requests) {
        const share = prompts.filter((prompt) => prompt === request).length;
        expect(share / prompts.filter((prompt) => prompt !== 'hello').length).toBeCloseTo(1 / 3, 1);
      }
      expect(new Set(prompts)).toEqual(new Set([...requests, 'hello']));
    });

    it('draws one for all of a group, where groups are of one part', async () => {
      const prompts = await promptsOf(8);
      const groups = Array.from({ length: 100 }, (_, group) => new Set(prompts.slice(group * 8, group * 8 + 8)));
      expect(groups.every(({ size }) => size === 1)).toBe(true);
      expect(new Set(prompts)).toEqual(new Set([...requests, 'hello']));
    });
  });

  it('leaves out what is never drawn; the samples of a shorter run are the first of a longer one', async () => {
    const [short, long] = [await written(40), await written(400)];
    expect(short.samples.length).toBeLessThanOrEqual(40);
    const idsOf = ({ samples, order }: typeof short) => order.map((line) => samples[line]?.id);
    expect(idsOf(short)).toEqual(idsOf(long).slice(0, 40));
  });
});
