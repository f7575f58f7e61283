/** The student in the loop: a round whose samples are chosen by how difficult the last good model finds them. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readJsonLines } from '../../src/core/read-json.ts';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import { probabilityOfRight } from '../../src/generation/difficulty-window.ts';
import { append } from '../../src/round/append/append.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { estimateRun } from '../../src/round/paid-teacher.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { readSampledRequests } from '../../src/round/sample/results.ts';
import { sample } from '../../src/round/sample/sample.ts';
import { keptSamples } from '../../src/round/select/kept-samples.ts';
import { difficultyFile } from '../../src/round/select/results.ts';
import { select } from '../../src/round/select/select.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { evaluationAnswerSchema } from '../../src/trainer/job-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

const lineSchema = z.object({ probability: z.number(), rejected: z.string().optional() });

/** Round 1 with its samples refined; the pretend trainer's losses are random, so that some samples are on each side. */
async function refined(folder: string, difficulty: object): Promise<StepContext> {
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    sampling: { ...tiny.sampling, requests: 4, inContextExamples: 1, strategy: 'difficulty-window', difficulty },
  }));
  const context = await tinyContext(config);
  for (const step of [prepareData, finetune, merge, evaluate, classify, gate]) await step(context);
  const next = { ...context, round: 1 };
  for (const step of [embed, sample, generate, refine]) await step(next);
  return next;
}

describe('a round by the strategy difficulty-window', () => {
  let context: StepContext;
  let folder: string;
  const inStep = (step: 'refine' | 'select' | 'sample', file = '') => join(stepDirectory(context.run, 1, step), file);
  const withDifficulty = (from: number, to: number): StepContext => ({
    ...context,
    config: {
      ...context.config,
      sampling: { ...context.config.sampling, difficulty: { from, to, candidates: 3 } },
    },
  });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'select-'));
    context = await refined(folder, { from: 0.22, to: 0.3, candidates: 3 });
  }, 300_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('asks the teacher for so many candidates for each sample', async () => {
    expect(await readSampledRequests(inStep('sample'))).toHaveLength(12);
    expect(await sample(context)).toMatchObject({ requests: 12, reused: true });
    // What is kept afterwards asks for nothing else.
    expect(await sample(withDifficulty(0.1, 0.9))).toMatchObject({ reused: true });
  });

  test('keeps the samples whose right choice the last good model is as likely to choose as wanted', async () => {
    const outcome = await select(context);
    const all = await readEngineData(inStep('refine', 'DataEngine_round1_data.json'));
    const answers = await readJsonLines(inStep('select', 'losses.jsonl'), evaluationAnswerSchema);
    const lines = await readJsonLines(inStep('select', difficultyFile), lineSchema);
    expect(lines).toHaveLength(all.length);
    for (const [index, { probability, rejected }] of lines.entries()) {
      const { losses } = answers[index] as (typeof answers)[number];
      expect(probability).toBeCloseTo(probabilityOfRight(losses, all[index]?.correct_choice_idx ?? -1), 6);
      if (probability < 0.22) expect(rejected).toBe('too_hard');
      else if (probability > 0.3) expect(rejected).toBe('too_easy');
      else expect([undefined, 'more_than_requested']).toContain(rejected);
    }
    const kept = all.filter((_, index) => lines[index]?.rejected === undefined);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(all.length);
    expect(await readEngineData(inStep('select', 'DataEngine_round1_data.json'))).toEqual(kept);
    expect(outcome).toMatchObject({ accepted: kept.length, rejected: all.length - kept.length, reused: false });
    expect(outcome.tooEasy + outcome.tooHard + outcome.spare).toBe(outcome.rejected);
    expect(await select(context)).toMatchObject({ accepted: kept.length, reused: true });
  });

  test('appends what was kept, and counts what was not with its reasons', async () => {
    const { accepted, tooEasy, tooHard } = await select(context);
    const kept = await keptSamples(context);
    expect(kept.accepted).toBe(accepted);
    const reasons = await kept.readRejectedByReason();
    expect([reasons.too_easy ?? 0, reasons.too_hard ?? 0]).toEqual([tooEasy, tooHard]);
    const rejected = await kept.readRejected();
    expect(rejected).toHaveLength(kept.rejected);
    expect(rejected.map(({ reason }) => reason)).toEqual(expect.arrayContaining(Object.keys(reasons)));
    const { version, samplesAdded } = await append(context);
    expect(samplesAdded).toBe(accepted);
    const file = join(context.run.root, 'dataset-versions', `${version}.json`);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      rejected: kept.rejected,
      rejectedByReason: reasons,
    });
  });

  test('uses only the images of samples that were kept up', async () => {
    await select(context);
    await append(context);
    for (const step of [finetune, merge, evaluate, classify, gate]) await step(context);
    const second = { ...context, round: 2 };
    await sample(second);
    const kept = new Set((await (await keptSamples(context)).read()).map(({ image_id }) => image_id));
    const first = (await readSampledRequests(inStep('sample'))).map(({ image_id }) => image_id);
    const again = (await readSampledRequests(stepDirectory(context.run, 2, 'sample'))).map(({ image_id }) => image_id);
    expect(again.filter((id) => kept.has(id))).toEqual([]);
    expect(again.some((id) => first.includes(id))).toBe(true);
  });

  test('may keep no sample at all', async () => {
    expect(await select(withDifficulty(0.998, 0.999))).toMatchObject({ accepted: 0, tooEasy: 0 });
  });

  test('asks the model of the last good round, and nobody else', async () => {
    await rm(stepDirectory(context.run, 0, 'merge'), { recursive: true });
    await expect(select(context)).rejects.toMatchObject({
      name: 'InputError',
      problem: 'round 0 has not finished its step merge',
    });
  });
});

test('another strategy has no such step', async () => {
  const context = await tinyContext(await writeTinyRun(await temporaryFolder()), { round: 1 });
  await expect(select(context)).rejects.toMatchObject({ name: 'InputError', field: 'sampling.strategy' });
});

test('the price of a run is that of all candidates', async () => {
  const config = await writeTinyRun(await temporaryFolder(), (tiny) => ({
    ...tiny,
    sampling: { ...tiny.sampling, strategy: 'difficulty-window', difficulty: { candidates: 4 } },
    teacher: { provider: 'openai', model: 'gpt-4o', budget: { limit: 1 } },
  }));
  const context = await tinyContext(config);
  const price = await estimateRun(context);
  expect(price?.requests).toBe(2 * 6 * 4);
  const { config: own } = context;
  const adaptive = { ...own, sampling: { ...own.sampling, strategy: 'adaptive' as const, difficulty: undefined } };
  const cheaper = await estimateRun({ ...context, config: adaptive });
  expect((price?.cost?.likely ?? 0) / (cheaper?.cost?.likely ?? 1)).toBeCloseTo(4, 6);
});
