/** Rounds that learn from preference pairs: the last good model answers the new samples, and its wrong choices become pairs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { preferenceSchema } from '../../src/config/preference-schema.ts';
import { readManifest } from '../../src/core/manifest.ts';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import {
  counterfactualPairs,
  preferencePairSchema,
  preferenceSampleSchema,
} from '../../src/datasets/preference-pairs.ts';
import { append } from '../../src/round/append/append.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { readSampledRequests } from '../../src/round/sample/results.ts';
import { sample } from '../../src/round/sample/sample.ts';
import { readChoiceLosses, selects } from '../../src/round/select/results.ts';
import { select } from '../../src/round/select/select.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import type { RoundStep } from '../../src/round/steps.ts';
import { finetuneJobSchema } from '../../src/trainer/protocol.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

let folder: string;
let context: StepContext;
const inStep = (step: RoundStep, file = '', round = 1) => join(stepDirectory(context.run, round, step), file);
const pairsIn = (round = 1) => readJsonLines(inStep('append', 'pairs.jsonl', round), preferencePairSchema);
const jobOf = (round: number) => readJson(inStep('finetune', 'job.json', round), z.looseObject({}));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'preference-'));
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    finetune: { ...tiny.finetune, objective: 'sft+dpo', preference: { beta: 0.2, batchSize: 3 } },
    sampling: { ...tiny.sampling, requests: 12, inContextExamples: 1 },
    gate: { policy: 'always' },
  }));
  const first = await tinyContext(config);
  for (const step of [prepareData, finetune, merge, evaluate, classify, gate]) await step(first);
  context = { ...first, round: 1 };
  for (const step of [embed, sample, generate, refine, select, append, finetune]) await step(context);
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

test('round 0 learns from samples alone: nothing was chosen yet', async () => {
  expect(await jobOf(0)).not.toHaveProperty('preference');
});

test('no sample is rejected for what the model chose', async () => {
  expect(selects(context.config)).toBe(true);
  const all = await readEngineData(inStep('refine', 'DataEngine_round1_data.json'));
  expect(await select(context)).toMatchObject({ accepted: all.length, rejected: 0, reused: true });
  expect(await append(context)).toMatchObject({ samplesAdded: all.length, reused: true });
});

describe('the pairs of a round', () => {
  test('are the samples that the model chose a wrong choice of, its own', async () => {
    const all = await readEngineData(inStep('refine', 'DataEngine_round1_data.json'));
    const losses = await readChoiceLosses(inStep('select'), all.length);
    const chosen = losses.map((values) => values.indexOf(Math.min(...values)));
    const wrong = all.flatMap((one, index) => (chosen[index] === one.correct_choice_idx ? [] : [index]));
    expect(wrong.length).toBeGreaterThan(0);
    expect(wrong.length).toBeLessThan(all.length);
    expect((await pairsIn()).map((pair) => [pair.image_id, pair.correct_choice_idx, pair.rejected_choice_idx])).toEqual(
      wrong.map((index) => [all[index]?.image_id, all[index]?.correct_choice_idx, chosen[index]]),
    );
  });

  test('have a hash, and are the same when they are made again', async () => {
    const before = await readManifest(inStep('append'));
    expect(before?.metrics.pairs).toBe((await pairsIn()).length);
    await rm(inStep('append'), { recursive: true });
    await append(context);
    const after = await readManifest(inStep('append'));
    expect(after?.outputs['pairs.jsonl']).toMatch(/^[0-9a-f]{64}$/);
    expect(after?.outputs).toEqual(before?.outputs);
  });

  test('show images of the pool alone: none of validation or test questions', async () => {
    const requested = new Set((await readSampledRequests(inStep('sample'))).map(({ image_id }) => image_id));
    for (const { image_id } of await pairsIn()) expect(requested.has(image_id)).toBe(true);
  });
});

describe('counterfactual pairs', () => {
  const withSources = (sources: ('ownChoices' | 'counterfactual')[]): StepContext => ({
    ...context,
    config: {
      ...context.config,
      finetune: {
        ...context.config.finetune,
        preference: preferenceSchema.parse({ beta: 0.2, batchSize: 3, sources }),
      },
    },
  });
  afterAll(async () => void (await append(context)));

  test('stand after the pairs of the model, and none is there twice', async () => {
    const own = await pairsIn();
    await append(withSources(['ownChoices', 'counterfactual']));
    const all = await pairsIn();
    expect(all.slice(0, own.length)).toEqual(own);
    expect(all.length).toBeGreaterThan(own.length);
    const others = all.slice(own.length);
    for (const { other_image_id } of others) expect(other_image_id).toBeDefined();
    const keys = all.map(({ image_id, question, rejected_choice_idx }) =>
      JSON.stringify([image_id, question, rejected_choice_idx]),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('alone need no answers of the model: the round has no step select', async () => {
    const alone = withSources(['counterfactual']);
    expect(selects(alone.config)).toBe(false);
    await append(alone);
    const samples = await readEngineData(inStep('refine', 'DataEngine_round1_data.json'));
    const pairs = await pairsIn();
    expect(pairs).toEqual(counterfactualPairs(samples));
    for (const { choices, rejected_choice_idx, question, other_image_id } of pairs) {
      const rightThere = samples.filter(
        (sample) => sample.image_id === other_image_id && sample.question.toLowerCase() === question.toLowerCase(),
      );
      expect(rightThere.map((sample) => sample.choices[sample.correct_choice_idx as number])).toContain(
        choices[rejected_choice_idx],
      );
    }
  });
});

describe('the finetune of a round', () => {
  test('is given them in an order of the seed, with the adapter of the last good round as reference', async () => {
    const { preference, steps } = finetuneJobSchema.parse(await jobOf(1));
    expect(preference).toMatchObject({
      beta: 0.2,
      labelSmoothing: 0,
      lengthNormalized: false,
      sftWeight: 1,
      batchSize: 3,
      referenceAdapter: inStep('finetune', '', 0),
    });
    const pairs = await pairsIn();
    const given = await readJsonLines(inStep('finetune', 'mixture/pairs.jsonl'), preferenceSampleSchema);
    expect(given.map(({ chosen }) => chosen)).toEqual(
      pairs.map(
        ({ choices, correct_choice_idx: correct }) => `The answer is (${'ABCD'[correct]}) ${choices[correct]}.`,
      ),
    );
    const order = await readJson(inStep('finetune', 'mixture/pairs-order.json'), z.array(z.number()));
    expect(order).toHaveLength(3 * steps);
    expect(new Set(order)).toEqual(new Set(pairs.keys()));
  });

  test('is another one with other pairs, another reference or another beta', async () => {
    expect(await finetune(context)).toMatchObject({ reused: true });
    const { config } = context;
    const changed = {
      ...config,
      finetune: { ...config.finetune, preference: { ...config.finetune.preference, beta: 0.3 } },
    };
    const again = { ...context, config: changed as StepContext['config'] };
    expect(await finetune(again)).toMatchObject({ reused: false });
    expect(finetuneJobSchema.parse(await jobOf(1)).preference?.beta).toBe(0.3);
    const base = { ...config.finetune.preference, reference: 'adapterOff' };
    const other = { ...context, config: { ...config, finetune: { ...config.finetune, preference: base } } };
    expect(await finetune(other as StepContext)).toMatchObject({ reused: false });
    expect(finetuneJobSchema.parse(await jobOf(1)).preference).not.toHaveProperty('referenceAdapter');
    expect(await finetune(context)).toMatchObject({ reused: false });
  });

  test('has those of the rounds that it is built upon too', async () => {
    for (const step of [merge, evaluate, classify, gate]) await step(context);
    const second = { ...context, round: 2 };
    for (const step of [sample, generate, refine, select, append, finetune]) await step(second);
    const given = await readJsonLines(inStep('finetune', 'mixture/pairs.jsonl', 2), preferenceSampleSchema);
    expect(given).toHaveLength((await pairsIn(1)).length + (await pairsIn(2)).length);
    expect(new Set(given.map(({ source }) => source))).toEqual(new Set(['round1', 'round2']));
    expect(finetuneJobSchema.parse(await jobOf(2)).preference?.referenceAdapter).toBe(inStep('finetune'));
  });
});
