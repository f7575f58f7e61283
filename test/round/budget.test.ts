/**
 * Whatever the teacher is asked beside the samples, the budget of the run holds: with the real client and a local teacher.
 */
import { beforeEach, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../src/core/read-json.ts';
import { promptSampleSchema } from '../../src/generation/prompt-optimization/prompt-samples.ts';
import { recordTopUp } from '../../src/round/asking/chunk.ts';
import { iterationSamples, makeIterationSamples, preparePrompt } from '../../src/round/prompt-optimization.ts';
import { checkQuestionTypes } from '../../src/round/question-types.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { settleUnclearOf } from '../../src/round/teacher.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { costOf, readPrice } from '../../src/teacher/prices.ts';
import { runningTeacher } from '../demo/local-teacher/running-teacher.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

beforeEach(() => {
  vi.stubEnv('TEACHER_KEY', 'a-key');
  return () => vi.unstubAllEnvs();
});

/** A tiny run with a budget, the teacher it asks, and what that has charged. */
async function withBudget(limit: number, settings: Record<string, unknown> = {}) {
  const { teacher, client: _, ...rest } = await runningTeacher({ faults: { latencyMilliseconds: 20 } });
  const file = await writeTinyRun(await temporaryFolder(), (config) => ({
    ...config,
    teacher: {
      ...config.teacher,
      ...settings,
      model: 'gpt-4',
      baseUrl: rest.settings.baseUrl,
      apiKeyVariable: 'TEACHER_KEY',
      budget: { limit },
    },
  }));
  const context = await tinyContext(file);
  const price = await readPrice(context.config.teacher.prices, 'gpt-4', 'online');
  return { context, teacher, charged: () => costOf(price, teacher.counts()) };
}

const topUp = (context: StepContext, amount: number) => recordTopUp(context, { id: String(amount), amount });

test('questions are classified only while the budget covers the longest answer', async () => {
  const { context, teacher, charged } = await withBudget(0.01);
  await expect(checkQuestionTypes(context)).rejects.toMatchObject({ name: 'OutOfBudget' });
  expect([teacher.counts().requests, (await readLedger(context.run.root)).cost]).toEqual([0, 0]);
  await topUp(context, 1);
  expect(await checkQuestionTypes(context)).toMatchObject({ questions: 8 });
  expect((await readLedger(context.run.root)).cost).toBeCloseTo(charged(), 9);
});

test('the choices of written answers are found as long as the budget lasts; replies are kept', async () => {
  const choices = ['teddy bear', 'cat', 'lamp', 'sofa'].map((text, index) => ({
    letter: 'ABCD'[index] as string,
    text,
  }));
  const unclear = Array.from({ length: 12 }, (_, index) => ({
    question: 'What is it?',
    choices,
    answer: `a ${index}`,
  }));
  const { context, teacher, charged } = await withBudget(0.04, { provider: 'openai', concurrency: 4 });
  const settle = settleUnclearOf(context);
  await expect(settle?.(unclear)).rejects.toMatchObject({ name: 'OutOfBudget' });
  const asked = teacher.counts().requests;
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(unclear.length);
  expect(charged()).toBeLessThanOrEqual(0.04);
  await topUp(context, 1);
  expect(await settle?.(unclear)).toHaveLength(unclear.length);
  expect(teacher.counts().requests).toBe(unclear.length);
});

test('sample generations for a prompt review stop at the budget, and resume after a top-up', async () => {
  const limit = 0.2;
  const { context, teacher, charged } = await withBudget(limit, { concurrency: 3 });
  await preparePrompt(context, undefined);
  const make = () => makeIterationSamples(context, { iteration: 0, count: 8 });
  await expect(make()).rejects.toMatchObject({ name: 'OutOfBudget' });
  expect(charged()).toBeLessThanOrEqual(limit);
  const kept = await readJsonLines(iterationSamples(context.run, 0), promptSampleSchema);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept).toHaveLength(teacher.counts().requests);
  await topUp(context, 1);
  const samples = await make();
  expect(samples.length).toBeGreaterThan(kept.length);
  expect(teacher.counts().requests).toBe(samples.length);
});

test('a budget needs the price of the model', async () => {
  const { context } = await withBudget(1);
  const unknown = { ...context.config, teacher: { ...context.config.teacher, model: 'nobody-knows' } };
  await expect(checkQuestionTypes({ ...context, config: unknown })).rejects.toMatchObject({
    field: 'models.nobody-knows',
  });
});
