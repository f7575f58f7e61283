/**
 * Asks the teacher its own questions again, with the same ledger, budget and retries as for new samples.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { type LocalTeacherOptions, startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { verdictSchema } from '../../src/generation/verdicts.ts';
import { generate } from '../../src/round/generate/generate.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { verifiedFile } from '../../src/round/verify/results.ts';
import { verify } from '../../src/round/verify/verify.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const requests = 12;

/** A run whose samples are generated, and its teacher. */
async function generated(options: LocalTeacherOptions = {}, settings: Record<string, unknown> = {}) {
  const teacher = await startLocalTeacher({ seed: 7, ...options });
  onTestFinished(() => teacher.close());
  const context = await writeGenerationRun(
    await temporaryFolder(),
    requests,
    { model: 'gpt-4', baseUrl: teacher.baseUrl, concurrency: 8, chunkRequests: 5, ...settings },
    { blindAnswers: 2, languageOnlyAnswers: 1 },
  );
  await generate(context);
  const before = teacher.counts();
  const asked = () => teacher.counts().requests - before.requests;
  return { teacher, context, asked };
}

const verdictsOf = ({ run, round }: StepContext) =>
  readJsonLines(join(stepDirectory(run, round, 'verify'), verifiedFile), verdictSchema);

test('each sample is verified as often as the config says, and the ledger has the cost', async () => {
  const { teacher, context, asked } = await generated();
  const { samples, answers, unanswered } = await verify(context);
  expect([answers, unanswered]).toEqual([3 * samples, 0]);
  expect(samples).toBeGreaterThan(5);
  expect(asked()).toBe(answers);
  const verdicts = await verdictsOf(context);
  expect(verdicts).toHaveLength(samples);
  for (const { blind, language_only } of verdicts) expect([blind.asked, language_only.asked]).toEqual([2, 1]);
  const { promptTokens, completionTokens } = teacher.counts();
  expect(await readLedger(context.run.root)).toMatchObject({ promptTokens, completionTokens });
});

test('structured answers give the same verdicts', async () => {
  const { context } = await generated();
  await verify(context);
  const { context: structured } = await generated({}, { answerFormat: 'structured' });
  await verify(structured);
  expect(await verdictsOf(structured)).toHaveLength((await verdictsOf(context)).length);
  for (const { blind } of await verdictsOf(structured)) expect(blind.right).toBeGreaterThan(0);
});

test('with many faults no answer is lost and no request repeated', async () => {
  const rates = { serverError: 0.1, nonsense: 0.05, rateLimited: 0.05 };
  const { teacher, context } = await generated({ faults: { rates, retryAfterSeconds: 0.01 } });
  const { samples, answers } = await verify(context);
  expect(answers).toBe(3 * samples);
  expect(teacher.counts().repeated).toBe(0);
});

test('what was answered is not requested again when the step is repeated', async () => {
  const { context, asked } = await generated();
  const { answers } = await verify(context);
  const verdicts = await verdictsOf(context);
  await rm(stepDirectory(context.run, context.round, 'verify'), { recursive: true });
  expect(await verify(context)).toMatchObject({ answers, reused: false });
  expect(asked()).toBe(answers);
  expect(await verdictsOf(context)).toEqual(verdicts);
  expect(await verify(context)).toMatchObject({ answers, reused: true });
});

test('the run’s budget limits it too: it finishes with the answers so far, or names the setting to raise', async () => {
  const { context, teacher } = await generated();
  const { cost: spent } = await readLedger(context.run.root);
  const limit = spent + 0.2;
  const withBudget = (whenReached: 'wait' | 'finish'): StepContext => ({
    ...context,
    config: { ...context.config, teacher: { ...context.config.teacher, budget: { limit, whenReached } } },
  });
  await expect(verify(withBudget('wait'))).rejects.toThrow(/teacher\.budget\.limit/);
  const { answers, unanswered } = await verify(withBudget('finish'));
  expect(answers).toBeGreaterThan(0);
  expect(unanswered).toBeGreaterThan(0);
  const { promptTokens, completionTokens } = teacher.counts();
  expect((promptTokens * 30 + completionTokens * 60) / 1e6).toBeLessThanOrEqual(limit);
});
