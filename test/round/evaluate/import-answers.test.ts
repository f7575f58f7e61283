/** Results of another program as a round's answers: what they say is right and wrong steers the rounds that follow. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { evaluatedQuestionSchema } from '../../../src/evaluation/bad-cases.ts';
import { readScores } from '../../../src/evaluation/evaluation-files.ts';
import { generationRequest } from '../../../src/generation/sample-requests.ts';
import { classify } from '../../../src/round/classify/classify.ts';
import { embed } from '../../../src/round/embed/embed.ts';
import { evaluate, evaluateShard } from '../../../src/round/evaluate/evaluate.ts';
import { importAnswers } from '../../../src/round/evaluate/import-answers.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { merge } from '../../../src/round/merge/merge.ts';
import { sample } from '../../../src/round/sample/sample.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { printedBy } from '../../cli/in-this-process.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeOwnRun } from '../own-questions-run.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';
import { colors, excel, row, rows } from './results-of-others.ts';

async function put(name: string, lines: readonly object[]): Promise<string> {
  const file = join(await temporaryFolder(), name);
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return file;
}

async function ownRun(): Promise<{ config: string; context: StepContext }> {
  const { file: config } = await writeOwnRun();
  return { config, context: await tinyContext(config) };
}

test("VLMEvalKit's Excel file steers the rounds that follow: bad cases, weights and requests", async () => {
  const { config, context } = await ownRun();
  const { root } = context.run;
  await finetune(context);
  await merge(context);
  const printed = await printedBy('evaluate', 'import', await excel(rows), '--config', config, '--run', 'tiny');
  expect(printed).toMatch(/evaluate import done[\s\S]*program: VLMEvalKit[\s\S]*questions: 12[\s\S]*right: 7/);
  expect(printed).toContain('test: the model answers them in `dataengine evaluate --round 0` or `dataengine run`');
  expect(await evaluateShard(context, { set: 'validation', shard: 0 })).toMatchObject({ reused: true, questions: 0 });

  // Choices and scores are what the program says.
  const evaluated = await evaluate(context);
  expect(evaluated).toMatchObject({ questions: 12, measure: 'accuracy', reused: false });
  expect(evaluated.multipleChoice).toBeCloseTo((100 * (4 + 0.25 + 0.75 + 1 + 0 + 0.4 + 1)) / 12);
  const scores = await readScores(join(root, 'round-0/evaluate'));
  expect(scores.imported).toMatchObject({ program: 'VLMEvalKit', results: 'model_own_result.xlsx', measure: 'hit' });
  const found = evaluatedQuestionSchema
    .array()
    .parse(JSON.parse(await readFile(join(root, 'round-0/evaluate/aokvqa_eval.json'), 'utf8')));
  expect(found.map(({ model_choice_idx: choice, score }) => choice ?? score ?? 'none')).toEqual([
    ...[0, 0.25, 2, 0.75, 1, 1, 2, 0, 'none', 0.4, 2, 1],
  ]);
  expect(found[0]?.choices).toEqual(colors);

  const classified = await classify(context);
  expect(classified).toMatchObject({ badCases: 5, errorByType: { color: 0.333, 'color in words': 0.5 } });
  await embed({ ...context, round: 1 });
  await sample({ ...context, round: 1 });
  const requests = await readJsonLines(join(root, 'round-1/sample/requests.jsonl'), generationRequest);
  const wrong = new Set(['frage 4', 'frage 8', 'frage 1', 'frage 7', 'frage 9']);
  const examples = requests.flatMap((request) => request.examples);
  expect(examples.length).toBeGreaterThan(0);
  for (const { idx } of examples) expect(wrong).toContain(idx);

  // The same results are taken once; others have the round evaluated anew.
  expect(await importAnswers(context, { set: 'validation', file: await excel(rows) })).toMatchObject({ questions: 12 });
  expect(await evaluate(context)).toMatchObject({ questions: 12 });
  const better = rows.map((one) => (one.index === 'frage 4' ? { ...one, hit: 1 } : one));
  expect(await importAnswers(context, { set: 'validation', file: await excel(better) })).toMatchObject({ right: 8 });
  expect(await evaluate(context)).toMatchObject({ reused: false });
  expect(await classify(context)).toMatchObject({ badCases: 4, reused: false });

  // With results of all sets the evaluation is written at once.
  const tested = await excel(Array.from({ length: 6 }, (_, index) => row(12 + index, 'x', 1)));
  const written = await printedBy('evaluate', 'import', tested, '--config', config, '--run', 'tiny', '--set', 'test');
  expect(written).toMatch(/^evaluate done/m);
  expect(written).toContain('test multiple choice: 100');

  // They are of the model that was asked, not of another one of this round.
  const other = { ...context, config: { ...context.config, seed: context.config.seed + 1 } };
  await finetune(other);
  await merge(other);
  await expect(evaluate(other)).rejects.toThrow(/has imported results of another model than the round's/);
});

test.each([
  ['of unknown ids', [...rows.slice(1), row(99, 'A', 1)], /question frage 99 of the file is none of the round's/],
  ['that are not all', rows.slice(0, 10), /2 of 12 questions have no result, such as frage 10/],
  [
    'of another file with the same ids',
    rows.map((one) => ({ ...one, question: 'Where?' })),
    /question frage 0 of the file is another one/,
  ],
])('results %s are refused', async (_, some, message) => {
  const { context } = await ownRun();
  const file = await put('model_own.jsonl', some);
  await expect(importAnswers(context, { set: 'validation', file })).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringMatching(message),
  });
});

describe("A-OKVQA's, by lmms-eval's samples", () => {
  const sampleOf = (number: number, id: string, more: object = {}) => ({
    doc_id: number,
    target: 'red',
    filtered_resps: '(B)',
    input: 'Q: What color is the image?\nA:',
    acc: { question_id: id, score: number % 2 },
    ...more,
  });

  test("questions are found by the task's own id; a file with several scores needs the name of one", async () => {
    const context = await tinyContext(await writeTinyRun(await temporaryFolder()));
    await finetune(context);
    await merge(context);
    const questions: { question_id: string }[] = JSON.parse(
      await readFile(join(context.config.data.root, 'A-OKVQA/aokvqa_v1p0_val.json'), 'utf8'),
    );
    const samples = questions.map(({ question_id }, number) => sampleOf(number, question_id));
    const file = await put('20261129_samples_aokvqa.jsonl', samples);
    expect(await importAnswers(context, { set: 'validation', file })).toMatchObject({
      program: 'lmms-eval',
      measure: 'acc',
      questions: 8,
      right: 4,
    });
    const { multipleChoice } = await evaluate(context);
    expect(multipleChoice).toBe(50);
    const both = await put(
      's.jsonl',
      samples.map((one) => ({ ...one, other: 1 })),
    );
    await expect(importAnswers(context, { set: 'validation', file: both })).rejects.toThrow(
      /--measure: the file has several scores: acc, other/,
    );
    expect(await importAnswers(context, { set: 'validation', file: both, measure: 'other' })).toMatchObject({
      right: 8,
    });
    const config = { ...context.config, evaluate: { ...context.config.evaluate, benchmarks: [] } };
    await expect(importAnswers({ ...context, config }, { set: 'mme', file })).rejects.toThrow(/has no set 'mme'/);
  });
});
