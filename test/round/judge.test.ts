/**
 * Written answers that a teacher judges, over HTTP: the scores, what they cost, and how far they can be trusted.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type LocalTeacherOptions, startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { gradeByWords } from '../../demo/local-teacher/wording/judge.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { writeJsonLines } from '../../src/core/write-file.ts';
import { isRight } from '../../src/evaluation/bad-cases.ts';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { judgeRequest } from '../../src/evaluation/judge/judge-requests.ts';
import { append } from '../../src/round/append/append.ts';
import { checkData } from '../../src/round/check-data.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { estimateOtherRequests } from '../../src/round/estimate-requests.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { readAnswers } from '../../src/round/evaluate/results.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { report } from '../../src/round/report/report.ts';
import { sample } from '../../src/round/sample/sample.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { completionOf, faultyServer } from '../teacher/faulty-server.ts';
import { instruction, writeOwnRun } from './own-questions-run.ts';
import { tinyContext } from './tiny-run.ts';

const labelled = [
  { question: 'What color is it?', references: ['red'], answer: 'It is red.', right: true },
  { question: 'What color is it?', references: ['red'], answer: 'blue', right: false },
  { question: 'What is it made of?', references: ['steel'], answer: 'iron, I think', right: true },
  { question: 'What is it made of?', references: ['steel'], answer: 'wood', right: false },
];

/** A run whose written answers are judged, its round 0 ready to evaluate. */
async function judgedRun(teacher: object, judge: object = { labelled: 'labelled.jsonl', checks: 4 }) {
  const { file, root } = await writeOwnRun((config) => {
    const { data, ...others } = config as { data: Record<string, object>; teacher: object };
    const questions = { metric: 'judge', instruction, judge };
    return {
      ...others,
      evaluate: { bootstrapSamples: 100 },
      teacher: { ...others.teacher, ...teacher },
      data: { ...data, validation: { ...data.validation, questions }, test: { ...data.test, questions } },
    };
  });
  await writeJsonLines(join(root, 'labelled.jsonl'), labelled);
  const context = await tinyContext(file);
  return { context, root, folder: join(context.run.root, 'round-0') };
}

async function trained(context: StepContext) {
  await finetune(context);
  await merge(context);
}

async function withLocalTeacher(options: LocalTeacherOptions = {}, settings: object = {}) {
  const teacher = await startLocalTeacher({ seed: 7, ...options });
  onTestFinished(() => teacher.close());
  const run = await judgedRun({ baseUrl: teacher.baseUrl, chunkRequests: 5, ...settings });
  await trained(run.context);
  return { ...run, teacher };
}

describe('an evaluation with the metric judge', () => {
  test('has the teacher score each answer against its references, and bad cases follow from the scores', async () => {
    const { context, folder, teacher } = await withLocalTeacher();
    const evaluated = await evaluate(context);
    expect(evaluated).toMatchObject({ measure: 'accuracy', questions: 12 });
    const answers = await readAnswers(join(folder, 'evaluate'));
    const open = answers.filter(({ choices }) => choices.length === 0);
    expect(open).toHaveLength(6);
    for (const { model_answer, direct_answers, score } of open) {
      expect(score).toBe(gradeByWords(direct_answers, model_answer) / 4);
    }
    const { measures, judge } = await readScores(join(folder, 'evaluate'));
    expect(measures.judgeScore?.value).toBeCloseTo(open.reduce((sum, { score = 0 }) => sum + score, 0) / 6, 12);
    expect(measures.judgeScore?.count).toBe(6);
    expect(judge).toMatchObject({ model: 'local rules', rubric: 'judge-v1', judged: 6, unjudged: 0 });
    // By its rule, "iron" is not steel: three of four labels.
    expect(judge?.labelled).toMatchObject({ count: 4, accuracy: { value: 0.75 }, kappa: { value: 0.5 } });
    expect(judge?.position).toMatchObject({ count: 4, flips: { value: 0, high: 0 }, change: { value: 0 } });
    expect(judge?.padding?.plain.value).toBe(judge?.padding?.padded.value);
    expect(judge?.length?.count).toBe(6);

    const { badCases } = await classify(context);
    expect(badCases).toBe(answers.filter((answer) => !isRight(answer)).length);
    await gate(context);
    const html = await readFile((await report(context)).file, 'utf8');
    expect(html).toContain('validation: agreement with people');
    expect(html).toContain('75.0 % (');

    const requests = await readJsonLines(join(folder, 'judge/requests.jsonl'), judgeRequest);
    expect(teacher.counts().requests).toBe(requests.length);
    expect(evaluated.judging).toEqual({
      promptTokens: teacher.counts().promptTokens,
      completionTokens: teacher.counts().completionTokens,
    });
    expect(await readLedger(context.run.root)).toMatchObject(evaluated.judging ?? {});
  });

  test('what was judged is not judged again when the step is repeated, nor in another round', async () => {
    const { context, folder, teacher } = await withLocalTeacher();
    await evaluate(context);
    const { requests } = teacher.counts();
    expect(await evaluate(context)).toMatchObject({ reused: true });
    await rm(join(folder, 'judge'), { recursive: true });
    await rm(join(folder, 'evaluate'), { recursive: true });
    const again = await evaluate(context);
    expect(again).toMatchObject({ reused: false, judging: { promptTokens: 0, completionTokens: 0 } });
    expect(teacher.counts().requests).toBe(requests);
  });

  test('structured replies and batches give the same scores', async () => {
    const scoresIn = async (settings: object) => {
      const { context, folder } = await withLocalTeacher({}, settings);
      await evaluate(context);
      const { measures, judge } = await readScores(join(folder, 'evaluate'));
      return { measures, judge };
    };
    const usual = await scoresIn({});
    expect(await scoresIn({ answerFormat: 'structured' })).toEqual(usual);
    expect(await scoresIn({ mode: 'batch', batch: { pollSeconds: 0.05, maximumPollSeconds: 0.1 } })).toEqual(usual);
  });

  test('many faults lose no score', async () => {
    const rates = { serverError: 0.1, nonsense: 0.05, rateLimited: 0.05 };
    const { context, folder } = await withLocalTeacher({ faults: { rates, retryAfterSeconds: 0.01 } });
    await evaluate(context);
    expect((await readScores(join(folder, 'evaluate'))).judge).toMatchObject({ judged: 6, unjudged: 0 });
  });

  test('a reply in another form is asked for again, and paid for', async () => {
    const seen = new Set<string>();
    let unreadable = 0;
    const { baseUrl, received } = await faultyServer(({ body }) => {
      const prompt = JSON.stringify(body.messages);
      const isFirst = !seen.has(prompt) && seen.size % 2 === 0;
      seen.add(prompt);
      if (isFirst) unreadable += 1;
      return { body: completionOf(isFirst ? 'This is quite right, I would say.' : 'Right.\nScore: 4') };
    });
    const { context, folder } = await judgedRun({ baseUrl, chunkRequests: 100 }, { checks: 0 });
    await trained(context);
    await evaluate(context);
    expect(unreadable).toBeGreaterThan(1);
    expect(received).toHaveLength(seen.size + unreadable);
    const { measures, judge } = await readScores(join(folder, 'evaluate'));
    expect([measures.judgeScore?.value, judge?.unjudged]).toEqual([1, 0]);
    const { calls, failedCalls } = await readLedger(context.run.root).then(
      ({ bySource }) =>
        [...bySource.values()][0] ?? {
          calls: 0,
          failedCalls: 0,
        },
    );
    expect([calls, failedCalls]).toEqual([received.length, unreadable]);
  });

  test('a teacher that never keeps to the form ends the step, with what it wrote', async () => {
    const { baseUrl } = await faultyServer(() => ({ body: completionOf('As a language model I find it lovely.') }));
    const { context } = await judgedRun({ baseUrl }, { checks: 0 });
    await trained(context);
    await expect(evaluate(context)).rejects.toThrow(/not in the form that was asked for: "As a language model/);
  });

  test('the budget of the run holds for it too', async () => {
    const teacher = await startLocalTeacher({ seed: 7 });
    onTestFinished(() => teacher.close());
    const budget = { limit: 0.05, whenReached: 'wait' };
    const { context } = await judgedRun({ baseUrl: teacher.baseUrl, model: 'gpt-4', budget });
    await trained(context);
    await expect(evaluate(context)).rejects.toThrow(/teacher\.budget\.limit/);
    expect(teacher.counts().requests).toBeGreaterThan(0);
  });
});

test('a budget that is used up before the first judged answer is named, also where the round should finish with what there is', async () => {
  const teacher = await startLocalTeacher({ seed: 7 });
  onTestFinished(() => teacher.close());
  const budget = { limit: 0.00001, whenReached: 'finish' };
  const { context } = await judgedRun({ baseUrl: teacher.baseUrl, model: 'gpt-4', budget });
  await trained(context);
  await expect(evaluate(context)).rejects.toMatchObject({
    ...{
      name: 'OutOfBudget',
      field: 'teacher.budget.limit',
      problem: expect.stringContaining('the budget of 0.00001 USD'),
    },
  });
  expect(teacher.counts().requests).toBe(0);
});

test('data check names a wrong row of the labelled answers, and a rubric that is none', async () => {
  const { context, root } = await judgedRun({});
  const { config, ...rest } = context;
  expect((await checkData(config, rest)).problems).toEqual([]);
  await writeFile(join(root, 'labelled.jsonl'), `${JSON.stringify({ ...labelled[0], right: 'perhaps' })}\n`);
  const { problems } = await checkData(config, rest);
  expect(problems.map(({ error }) => error.message).join()).toMatch(/labelled\.jsonl:1: right: must be one of/);

  const other = await judgedRun({}, { rubric: join(root, 'train.jsonl') });
  const { config: wrong, ...others } = other.context;
  const found = (await checkData(wrong, others)).problems;
  expect(found.map(({ error }) => error.message).join()).toContain('train.jsonl: is not a prompt');
});

test('the loop goes on from judged answers: wrong ones become examples for the teacher, and the next round is judged', async () => {
  const { baseUrl, received } = await faultyServer(({ number, body }) => {
    const prompt = JSON.stringify(body.messages);
    if (prompt.includes('## Answer to grade')) return { body: completionOf('It names another color.\nScore: 1') };
    return {
      body: completionOf(prompt.includes('Answer: <the short answer>') ? shortSample(number) : mcSample(number)),
    };
  });
  const { context } = await judgedRun({ baseUrl }, { checks: 2 });
  const inRound = (round: number): StepContext => ({ ...context, round });
  const measured = async (round: number) => {
    await trained(inRound(round));
    const evaluated = await evaluate(inRound(round));
    await classify(inRound(round));
    await gate(inRound(round));
    return evaluated;
  };
  await measured(0);
  const wrong = (await readAnswers(join(context.run.root, 'round-0/evaluate'))).filter(
    ({ choices }) => choices.length === 0,
  );
  expect(wrong.map(({ score }) => score)).toEqual(wrong.map(({ model_answer }) => (model_answer === '' ? 0 : 0.25)));
  await embed(context);
  await sample(inRound(1));
  await generate(inRound(1));
  const prompts = received.map(({ body }) => JSON.stringify(body.messages));
  expect(prompts.some((prompt) => prompt.includes('Wrong answer: ') && prompt.includes('color in words'))).toBe(true);
  const { accepted } = await refine(inRound(1));
  expect(accepted).toBeGreaterThan(0);
  await append(inRound(1));
  expect(await measured(1)).toMatchObject({ questions: 12 });
  expect((await readScores(join(context.run.root, 'round-1/evaluate'))).judge).toMatchObject({ judged: 6 });
  expect(await readFile((await report(inRound(1))).file, 'utf8')).toContain(
    'The teacher&#39;s scores of written answers',
  );
});

const shortSample = (number: number) =>
  `Question: What is number ${number} of the parts made of?\nAnswer: steel ${number}.\nExplanations: It shines.`;

const mcSample = (number: number) =>
  [
    `Question: Which tool would lift part number ${number} of the machine?`,
    `Choices: (A) crane ${number} (B) thin thread (C) wet sponge (D) paper cup`,
    `Answer: The answer is (A): crane ${number}.`,
    'Explanations: A crane lifts heavy things.',
  ].join('\n');

test('the estimate counts the requests that round 0 then sends', async () => {
  const { context, teacher } = await withLocalTeacher({}, {});
  const estimated = await estimateOtherRequests(context);
  expect(estimated.map(({ kind }) => kind)).toEqual(['judging']);
  await evaluate(context);
  // Answers that the model left empty, or gave twice, are not sent.
  const [{ requests = 0, promptTokens = 0 } = {}] = estimated;
  expect(teacher.counts().requests).toBeLessThanOrEqual(requests);
  expect(teacher.counts().requests).toBeGreaterThan(requests / 2);
  const sent = teacher.counts().promptTokens / teacher.counts().requests;
  expect(Math.abs(promptTokens / requests / sent - 1)).toBeLessThan(0.1);
  expect((await estimateOtherRequests({ ...context, round: 1 }))[0]?.requests).toBe(requests - labelled.length);
});
