/**
 * Two rounds through the step library, with no Temporal and a pretend trainer.
 */
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runStepOnce } from '../../src/core/manifest.ts';
import { parserVersion } from '../../src/generation/parse-answer.ts';
import { append } from '../../src/round/append/append.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { rawAnswersFile } from '../../src/round/generate/results.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { readCosts, readEndedRound } from '../../src/round/report/read-costs.ts';
import { readReportRound } from '../../src/round/report/read-round.ts';
import { report } from '../../src/round/report/report.ts';
import { reportRuns } from '../../src/round/report/report-runs.ts';
import { runStatus } from '../../src/round/report/run-standing.ts';
import { sample } from '../../src/round/sample/sample.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { appendToLedger, readLedger } from '../../src/teacher/ledger.ts';
import type { Progress } from '../../src/trainer/protocol.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

let folder: string;
let context: StepContext;
const progress: Progress[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whole-rounds-'));
  context = await tinyContext(await writeTinyRun(folder), { onProgress: (step) => progress.push(step) });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const inRound = (round: number): StepContext => ({ ...context, round });
const file = (...parts: string[]) => join(context.run.root, ...parts);
const readJsonFile = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

/** Round → seconds of its steps, as the terminal adds them up. */
const secondsOfRound = new Map<number, number>();

function addSeconds(round: number, outcomes: readonly { seconds: number }[]): void {
  const sum = outcomes.reduce((total, { seconds }) => total + seconds, 0);
  secondsOfRound.set(round, (secondsOfRound.get(round) ?? 0) + sum);
}

async function measure(round: number) {
  const [finetuned, merged] = [await finetune(inRound(round)), await merge(inRound(round))];
  const [evaluated, classified] = [await evaluate(inRound(round)), await classify(inRound(round))];
  const judged = await gate(inRound(round));
  addSeconds(round, [finetuned, merged, evaluated, classified, judged]);
  return { finetuned, evaluated, classified, judged };
}

async function makeData(round: number) {
  const embedded = await embed(inRound(round));
  const sampled = await sample(inRound(round));
  const generated = await generate(inRound(round));
  const refined = await refine(inRound(round));
  const appended = await append(inRound(round));
  // The pool is embedded once a run: the terminal adds it to round 1.
  addSeconds(round, [...(round === 1 ? [embedded] : []), sampled, generated, refined, appended]);
  return { sampled, generated, refined, appended };
}

describe.sequential('two rounds', () => {
  test('the data is checked first', async () => {
    expect(await prepareData(inRound(0))).toMatchObject({ questions: 12, reused: false });
    expect(await prepareData(inRound(0))).toMatchObject({ reused: true });
  });

  test('round 0 finetunes on the base data, merges, evaluates and classifies its bad cases', async () => {
    const { finetuned, evaluated, classified } = await measure(0);
    expect(finetuned).toMatchObject({ samples: 28, steps: 20 });
    expect(progress).toContainEqual(
      expect.objectContaining({ step: 20, steps: 20, checkpoint: expect.stringContaining('15.json') }),
    );
    expect(evaluated).toMatchObject({ questions: 8, testMultipleChoice: expect.any(Number) });
    expect(await readJsonFile(file('round-0', 'evaluate', 'aokvqa_eval.json'))).toHaveLength(8);
    expect(await readJsonFile(file('round-0', 'evaluate', 'test', 'aokvqa_eval.json'))).toHaveLength(4);
    expect(Object.keys(classified.errorByType).sort()).toEqual(['attribute_recognition', 'image_scene']);
    const badCases = await readJsonFile(file('round-0', 'classify', 'bad_case_aokvqa_classified.json'));
    expect(Object.values(badCases).flat()).toHaveLength(classified.badCases);
    expect(await readdir(file('round-0', 'merged'))).toEqual(
      expect.arrayContaining(['config.json', 'model.safetensors', 'manifest.json']),
    );
  });

  test('rounds 1 and 2 generate data and train on all of it', async () => {
    for (const round of [1, 2]) {
      const { sampled, generated, refined, appended } = await makeData(round);
      expect(sampled.requests).toBe(6);
      expect(generated).toMatchObject({ answers: 6, promptTokens: expect.any(Number) });
      expect(refined.accepted + refined.rejected).toBe(6);
      expect(appended.samplesAdded).toBe(refined.accepted);
      const { finetuned } = await measure(round);
      expect(finetuned.samples).toBeGreaterThanOrEqual(28 + refined.accepted);
      expect(await readJsonFile(file(`round-${round}`, `DataEngine_round${round}_data.json`))).toHaveLength(
        refined.accepted,
      );
    }
    const used = [1, 2].map(async (round) =>
      (await readFile(file(`round-${round}`, 'sample', 'requests.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).image_id),
    );
    const [first = [], second = []] = await Promise.all(used);
    expect(second.filter((image: number) => first.includes(image))).toEqual([]);
  });

  test('the report is one file about all rounds', async () => {
    const { file: html } = await report(inRound(2));
    expect((await stat(html)).size).toBeGreaterThan(1000);
    expect(await readFile(html, 'utf8')).toContain('round 2 of 2 is done');
  });

  test('the times of the report are those of the terminal', async () => {
    for (const round of [0, 1, 2]) {
      const { secondsByStep } = await readReportRound(context, round, () => undefined);
      const total = Object.values(secondsByStep).reduce((sum, seconds) => sum + seconds, 0);
      expect(total).toBeCloseTo(secondsOfRound.get(round) ?? -1, 6);
    }
  });

  test('the cost of a round is what the ledger has for it, where the teacher is paid', async () => {
    const costOf = async (of: StepContext) => (await readCosts(of))(1);
    expect(await costOf(context)).toBeUndefined();
    const { config, run } = context;
    const paid = { ...context, config: { ...config, teacher: { ...config.teacher, provider: 'openai' as const } } };
    const before = await costOf(paid);
    expect(before?.currency).toBe('USD');
    // A failed request, and one for another purpose than samples.
    for (const source of ['round-1/questions/1', 'round-2/generate/chunk-99999']) {
      const counts = { calls: 1, failedCalls: 1, lostCalls: 0, promptTokens: 10, completionTokens: 0, cost: 0.25 };
      await appendToLedger(run.root, { kind: 'spend', at: '2999-01-01', source, model: 'gpt-4', ...counts });
    }
    expect((await costOf(paid))?.amount).toBeCloseTo((before?.amount ?? 0) + 0.25, 9);
  });

  test('the page of all runs says how each stands, by its folder alone', async () => {
    const standing = (rounds: number, planned: number, now?: number) =>
      runStatus({ run: context.run, config: { ...context.config, rounds: planned } }, rounds, now);
    expect(await standing(3, 2)).toEqual({ state: 'finished', text: '2 of 2 rounds' });
    expect(await standing(3, 4)).toMatchObject({
      state: 'under way',
      text: expect.stringMatching(/^round 3 of 4, not started; last written \d{4}-/),
    });
    await mkdir(file('round-3', 'sample'), { recursive: true });
    await writeFile(file('round-3', 'sample', 'started.json'), '{}');
    expect(await standing(3, 4)).toMatchObject({
      state: 'under way',
      text: expect.stringContaining('round 3 of 4, in sample'),
    });
    const later = Date.now() + 3_600_000;
    expect(await standing(3, 4, later)).toMatchObject({ state: 'stopped', text: expect.stringContaining('in sample') });
    await rm(file('round-3'), { recursive: true });
    const { runs, unreadable } = await reportRuns(join(context.run.root, '..'), context.extensions);
    expect([runs, unreadable]).toEqual([1, []]);
    expect(await readFile(file('..', 'report.html'), 'utf8')).toContain('<b>finished</b>: 2 of 2 rounds');
  });

  test('a round that had nothing new to train on is in the costs of the report', async () => {
    const { config, run } = context;
    const paid = { ...context, config: { ...config, teacher: { ...config.teacher, provider: 'openai' as const } } };
    const costOf = await readCosts(paid);
    expect(await readEndedRound(run, 3, costOf)).toBeUndefined();
    await runStepOnce({
      directory: file('round-3', 'sample'),
      step: 'sample',
      inputs: {},
      work: async () => ({ outputs: [], metrics: { requests: 0 } }),
    });
    const counts = { calls: 1, failedCalls: 0, lostCalls: 0, promptTokens: 10, completionTokens: 0, cost: 0.5 };
    await appendToLedger(run.root, {
      ...{ kind: 'spend', at: '2999-01-01', source: 'round-3/questions/1', model: 'gpt-4' },
      ...counts,
    });
    expect(await readEndedRound(run, 3, await readCosts(paid))).toMatchObject({
      reason: 'no bad case is left to learn from, or no image to ask about',
      cost: { amount: 0.5, currency: 'USD' },
      teacherTokens: 0,
    });
    const html = await readFile((await report(inRound(3))).file, 'utf8');
    expect(html).toContain('The run ended in round 3: no bad case is left to learn from');
    await rm(file('round-3'), { recursive: true });
  });

  test('running a round again reuses every step and appends nothing twice', async () => {
    const before = await readFile(file('round-2', 'append', 'manifest.json'), 'utf8');
    const { generated, appended } = await makeData(2);
    const { finetuned, evaluated } = await measure(2);
    expect([generated.reused, appended.reused, finetuned.reused, evaluated.reused]).toEqual([true, true, true, true]);
    expect(await readFile(file('round-2', 'append', 'manifest.json'), 'utf8')).toBe(before);
  });

  test('a step whose outputs are damaged heals itself, and ends as it was', async () => {
    const folders = (await readdir(file('round-2'), { recursive: true }))
      .filter((path) => path.endsWith('/manifest.json'))
      .map((path) => dirname(file('round-2', path)));
    const outputsIn = (folder: string) => readJsonFile(join(folder, 'manifest.json')).then(({ outputs }) => outputs);
    const before = await Promise.all(folders.map(outputsIn));
    for (const folder of folders) {
      for (const output of Object.keys(await outputsIn(folder))) await appendFile(join(folder, output), '{"more":1}\n');
    }
    const calls = (await readLedger(context.run.root)).calls;
    const { appended } = await makeData(2);
    const { finetuned, evaluated } = await measure(2);
    expect([appended.reused, finetuned.reused, evaluated.reused]).toEqual([false, false, false]);
    expect(await Promise.all(folders.map(outputsIn))).toEqual(before);
    expect((await readLedger(context.run.root)).calls).toBe(calls);
  });

  test('another teacher answers anew; what the one before was paid for stays, and counts', async () => {
    const calls = async () => (await readLedger(context.run.root)).calls;
    const teacher = { ...context.config.teacher, temperature: 0.5 };
    const other = { ...inRound(2), config: { ...context.config, teacher } };
    const [before, answers] = [await calls(), await readFile(file('round-2', 'generate', rawAnswersFile), 'utf8')];
    expect(await generate(other)).toMatchObject({ reused: false, answers: 6 });
    expect(await calls()).toBe(before + 6);
    // Also where chunks have become larger in the meantime.
    const larger = { ...context.config.teacher, chunkRequests: context.config.teacher.chunkRequests + 1 };
    const again = { ...inRound(2), config: { ...context.config, teacher: larger } };
    expect(await generate(again)).toMatchObject({ reused: false, answers: 6 });
    expect(await calls()).toBe(before + 6);
    expect(await readFile(file('round-2', 'generate', rawAnswersFile), 'utf8')).toBe(answers);
  });

  test('other filter settings refine the same answers again, without new requests', async () => {
    const changed = {
      ...inRound(2),
      config: { ...context.config, refine: { ...context.config.refine, maximumAlike: 1 } },
    };
    expect(await generate(changed)).toMatchObject({ reused: true });
    expect(await refine(changed)).toMatchObject({ reused: false });
    const { inputs } = await readJsonFile(file('round-2', 'refine', 'manifest.json'));
    expect(inputs.parser).toBe(String(parserVersion));
    const short = { ...context.config, finetune: { ...context.config.finetune, maximumTokens: 5 } };
    expect(await refine({ ...inRound(2), config: short })).toMatchObject({ reused: false, accepted: 0 });
    expect(await readJsonFile(file('round-2', 'refine', 'rejected_by_reason.json'))).toMatchObject({
      too_long: expect.any(Number),
    });
    expect(await refine(inRound(2))).toMatchObject({ reused: false });
  });

  test('another finetune setting trains again, without new requests', async () => {
    const changed = {
      ...inRound(2),
      config: { ...context.config, finetune: { ...context.config.finetune, weightDecay: 0.1 } },
    };
    expect(await finetune(changed)).toMatchObject({ reused: false });
    expect(await generate(changed)).toMatchObject({ reused: true });
  });
});
