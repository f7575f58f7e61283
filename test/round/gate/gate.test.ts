/**
 * The gate on rounds whose evaluations are given: nothing is trained.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { runStepOnce, type StepResult } from '../../../src/core/manifest.ts';
import { roundDirectory } from '../../../src/core/run-directory.ts';
import { writeJson } from '../../../src/core/write-file.ts';
import { appendVersion, findVersion, parentOf, versionHistory } from '../../../src/datasets/versions.ts';
import type { EvaluatedQuestion } from '../../../src/evaluation/bad-cases.ts';
import { generatedData } from '../../../src/round/append/generated-data.ts';
import { gate } from '../../../src/round/gate/gate.ts';
import { lastGoodRound, lineageBefore, setAsideSince } from '../../../src/round/gate/lineage.ts';
import { samplingWeights } from '../../../src/round/sample/sampling-weights.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { stepDirectory } from '../../../src/round/step-directory.ts';
import type { RoundStep } from '../../../src/round/steps.ts';
import { appendToLedger } from '../../../src/teacher/ledger.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

type Settings = Partial<StepContext['config']['gate']> & { stop?: StepContext['config']['stop'] };

let context: StepContext;

beforeEach(async () => {
  context = await tinyContext(await writeTinyRun(await temporaryFolder()));
});

const inRound = (round: number, { stop = {}, ...settings }: Settings = {}): StepContext => ({
  ...context,
  round,
  config: { ...context.config, stop, gate: { ...context.config.gate, ...settings } },
});

function question(type: string, index: number, right: boolean): EvaluatedQuestion {
  return {
    question_id: `${type}-${index}`,
    idx: `${type}-${index}`,
    image_id: 1001 + (index % 8),
    image_path: `val2017/${1001 + (index % 8)}.jpg`,
    prompt: '',
    question: 'Which?',
    choices: ['a', 'b'],
    correct_choice_idx: 0,
    direct_answers: [],
    difficult_direct_answer: false,
    model_answer: right ? 'a' : 'b',
    model_choice_idx: right ? 0 : 1,
    losses: [0, 1],
    question_type: type,
  };
}

async function finish(round: number, step: RoundStep, files: Record<string, unknown>): Promise<void> {
  const directory = stepDirectory(context.run, round, step);
  const work = async (): Promise<StepResult> => {
    for (const [name, value] of Object.entries(files)) await writeJson(join(directory, name), value);
    return { outputs: Object.keys(files), metrics: {} };
  };
  await runStepOnce({ directory, step, inputs: { files }, work });
}

/** Leaves what a round's other steps would: so many of 20 questions of each type right. */
async function measured(round: number, right: Record<string, number>): Promise<void> {
  const answers = Object.entries(right).flatMap(([type, count]) =>
    Array.from({ length: 20 }, (_, index) => question(type, index, index < count)),
  );
  await finish(round, 'evaluate', { 'aokvqa_eval.json': answers });
  await finish(round, 'classify', {
    'weight.json': Object.fromEntries(Object.entries(right).map(([type, count]) => [type, (20 - count) / 20])),
  });
  if (round === 0) return;
  const samples = [{ image_id: round, question_type: 'color', question: `Q${round}?`, choices: ['a', 'b', 'c', 'd'] }];
  const records = samples.map((one) => ({ ...one, raw_instructions: '', correct_choice_idx: 0, rationales: [] }));
  const name = `DataEngine_round${round}_data.json`;
  await writeJson(join(roundDirectory(context.run, round), name), records);
  await finish(round, 'sample', { 'requests_by_type.json': { color: 40, count: 20 } });
  await finish(round, 'refine', { [name]: records });
  await finish(round, 'append', { [`../${name}`]: records });
  await appendVersion(context.run.root, {
    round,
    files: [{ name, path: join(roundDirectory(context.run, round), name), samples: 1 }],
    countsByType: { color: 1 },
    teacher: 'local',
    promptVersion: 'v1',
    seed: 1,
    cost: { promptTokens: 1, completionTokens: 1 },
    rejected: 0,
    rejectedByReason: {},
  });
}

const readLineage = async () => JSON.parse(await readFile(join(context.run.root, 'lineage.json'), 'utf8'));

describe('a round that is worse', () => {
  beforeEach(async () => {
    await measured(0, { color: 10, count: 10 });
    await gate(inRound(0));
    await measured(1, { color: 2, count: 10 });
  });

  test('is set aside: later rounds build upon the last good one, and no file is lost', async () => {
    expect(await gate(inRound(1))).toMatchObject({
      accepted: false,
      by: 'test',
      builtOn: 0,
      lastGood: 0,
      change: -20,
      forgotten: 8,
      reason:
        'against round 0: drop of 20.0 points is significant (p 0.0039, 40 questions); color got worse: 50.0 % → 10.0 % (p 0.0078)',
    });
    expect(await lineageBefore(context, 2)).toEqual([0]);
    expect(await lastGoodRound(context, 2)).toBe(0);
    expect(await setAsideSince(context, 2)).toEqual([1]);
    expect(await generatedData(context.run, await lineageBefore(context, 2))).toEqual([]);
    expect(await parentOf(context.run.root, 2)).toBeUndefined();
    await expect(findVersion(context.run.root, 'latest')).rejects.toThrow('is not a version of this run');
    expect((await findVersion(context.run.root, 'round-1')).round).toBe(1);
    expect(await versionHistory(context.run.root)).toMatchObject([{ current: true, setAside: true }]);
    expect(await readLineage()).toMatchObject({ lastGood: 0, builtUpon: [0], setAside: [1] });
  });

  test('changes the sampling weights of the next round', async () => {
    await gate(inRound(1));
    const weights = await samplingWeights(inRound(2));
    expect(await weights.read(context.run.root)).toEqual({ color: 0.25, count: 0.375 });
    expect((await samplingWeights(inRound(1))).setAside).toBeUndefined();
  });

  test('and a good one after it give a lineage with a gap', async () => {
    await gate(inRound(1));
    await measured(2, { color: 18, count: 18 });
    expect(await gate(inRound(2))).toMatchObject({ accepted: true, builtOn: 0, lastGood: 2 });
    expect(await lineageBefore(context, 3)).toEqual([0, 2]);
    expect((await parentOf(context.run.root, 3))?.round).toBe(2);
    const weights = await samplingWeights(inRound(3));
    expect(await weights.read(context.run.root)).toEqual({ color: 0.1, count: 0.1 });
  });

  test('is built upon under the policy always, with the result of the tests in its decision', async () => {
    expect(await gate(inRound(1, { policy: 'always' }))).toMatchObject({
      accepted: true,
      by: 'policy',
      reason: expect.stringContaining('against round 0: drop of 20.0 points is significant'),
    });
    expect(await lineageBefore(context, 2)).toEqual([0, 1]);
  });

  test('waits for a person under the policy approve, whose verdict is kept', async () => {
    const approving = inRound(1, { policy: 'approve' });
    await expect(gate(approving)).rejects.toThrow(
      /round 1 waits for a person: against round 0: drop of 20\.0 points.*samples\.html/,
    );
    expect(await readFile(join(stepDirectory(context.run, 1, 'compare'), 'samples.html'), 'utf8')).toContain(
      'Right in round 0, wrong now: 8 of 8',
    );
    const verdict = { decision: 'accept' as const, by: 'person' as const, comment: 'color was mislabelled' };
    expect(await gate(approving, verdict)).toMatchObject({ accepted: true, by: 'person', reused: false });
    expect(await gate(approving)).toMatchObject({ accepted: true, by: 'person', reused: true });
    expect((await readLineage()).rounds[1]).toMatchObject({ comment: 'color was mislabelled' });
    expect(await gate(approving, { decision: 'reject', by: 'person' })).toMatchObject({ accepted: false });
    expect(await gate(approving, { decision: 'gate', by: 'default' })).toMatchObject({
      accepted: false,
      by: 'default',
    });
  });
});

test('the same decision again changes nothing', async () => {
  await measured(0, { color: 10 });
  expect(await gate(inRound(0))).toMatchObject({ accepted: true, by: 'first', reused: false });
  await measured(1, { color: 9 });
  expect(await gate(inRound(1))).toMatchObject({
    accepted: true,
    by: 'test',
    reused: false,
    reason: 'against round 0: drop of 5.0 points is not significant (p 0.5, 20 questions)',
  });
  expect(await gate(inRound(1))).toMatchObject({ accepted: true, reused: true });
  expect(await versionHistory(context.run.root)).toMatchObject([{ setAside: false }]);
});

test('a round without a decision stops the rounds after it, unless the policy is always', async () => {
  await measured(0, { color: 10 });
  await measured(1, { color: 12 });
  await expect(lineageBefore(context, 2)).rejects.toThrow('there is no decision about round 1 yet');
  expect(await lineageBefore(inRound(2, { policy: 'always' }), 2)).toEqual([0, 1]);
});

test('a tolerance for a question type that no question has is refused', async () => {
  await measured(0, { color: 10 });
  await expect(gate(inRound(0, { typeTolerances: { colour: 0.1 } }))).rejects.toThrow(
    'gate.typeTolerances.colour: no validation question is of this type. Name one of color',
  );
});

test('stop rules end the run: a target, and rounds without a gain', async () => {
  await measured(0, { color: 10 });
  expect((await gate(inRound(0, { stop: { targetScore: 50 } }))).stop?.rule).toBe('target');
  expect((await gate(inRound(0, { stop: { plateauRounds: 1 } }))).stop).toBeUndefined();
  await measured(1, { color: 11 });
  expect((await gate(inRound(1, { stop: { plateauRounds: 2 } }))).stop).toBeUndefined();
  expect((await gate(inRound(1, { stop: { plateauRounds: 1 } }))).stop).toMatchObject({
    rule: 'plateau',
    reason: expect.stringContaining('round 1 is not significantly better than round 0'),
  });
  await measured(2, { color: 20 });
  expect((await gate(inRound(2, { stop: { plateauRounds: 1 } }))).stop).toBeUndefined();
});

test('a stop rule by budget counts the cost of the rounds up to this one', async () => {
  const spend = (round: number, cost: number) =>
    appendToLedger(context.run.root, {
      ...{ kind: 'spend', at: '2026-01-01T00:00:00Z', source: `round-${round}/generate/chunk-00000`, model: 'gpt-4' },
      ...{ calls: 1, failedCalls: 0, lostCalls: 0, promptTokens: 10, completionTokens: 10, cost },
    });
  const stop = { budget: 5 };
  for (const round of [0, 1, 2]) await measured(round, { color: 10 + round });
  await spend(1, 3);
  expect((await gate(inRound(0, { stop }))).stop).toBeUndefined();
  expect((await gate(inRound(1, { stop }))).stop).toBeUndefined();
  await spend(2, 2.5);
  expect((await gate(inRound(2, { stop }))).stop).toMatchObject({
    rule: 'budget',
    reason: expect.stringContaining('5.50'),
  });
  // Done again, an earlier round decides as it did.
  expect((await gate(inRound(1, { stop }))).stop).toBeUndefined();

  const unknown = inRound(2, { stop });
  unknown.config = { ...unknown.config, teacher: { ...unknown.config.teacher, model: 'my-own' } };
  await expect(gate(unknown)).rejects.toThrow(/models\.my-own: is missing, and stop\.budget needs the price/);
});
