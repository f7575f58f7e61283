/** Rounds that are judged by questions of your own, with choices and with short answers. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { isRight } from '../../src/evaluation/bad-cases.ts';
import { checkData } from '../../src/round/check-data.ts';
import { classify } from '../../src/round/classify/classify.ts';
import { readClassifiedBadCases } from '../../src/round/classify/results.ts';
import { withPool } from '../../src/round/dataset-paths.ts';
import { embed } from '../../src/round/embed/embed.ts';
import { imageIdsSchema } from '../../src/round/embed/results.ts';
import { evaluate } from '../../src/round/evaluate/evaluate.ts';
import { readAnswers } from '../../src/round/evaluate/results.ts';
import { evaluatedImages } from '../../src/round/evaluation-set.ts';
import { finetune } from '../../src/round/finetune/finetune.ts';
import { gate } from '../../src/round/gate/gate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { report } from '../../src/round/report/report.ts';
import { evaluationQuestionSchema } from '../../src/trainer/protocol.ts';
import { imageOf, instruction, writeOwnRun } from './own-questions-run.ts';
import { tinyContext } from './tiny-run.ts';

async function roundZero(change?: Parameters<typeof writeOwnRun>[0]) {
  const { file } = await writeOwnRun(change);
  const context = await tinyContext(file);
  await prepareData(context);
  await finetune(context);
  await merge(context);
  const evaluated = await evaluate(context);
  return { context, evaluated, folder: join(context.run.root, 'round-0') };
}

describe('round 0 on a mixed file', () => {
  test('choices are ranked, short answers written and scored by the metric, and wrong ones become bad cases', async () => {
    const { context, evaluated, folder } = await roundZero();
    expect(evaluated).toMatchObject({ measure: 'accuracy', questions: 12, testMultipleChoice: expect.any(Number) });
    const asked = await readJsonLines(
      join(folder, 'evaluate-shards/validation-0-of-1/questions.jsonl'),
      evaluationQuestionSchema,
    );
    const words = `What is the color of the part?\n${instruction}\n`;
    expect(asked.filter(({ generate }) => generate?.question === words)).toHaveLength(6);
    expect(asked.filter(({ answers }) => answers.length === 4)).toHaveLength(6);

    const answers = await readAnswers(join(folder, 'evaluate'));
    expect(evaluated.multipleChoice).toBeCloseTo((100 * answers.filter(isRight).length) / 12, 9);
    const open = answers.filter(({ choices }) => choices.length === 0);
    expect(open).toHaveLength(6);
    for (const { model_answer, direct_answers, score } of open) {
      expect(score).toBe(direct_answers.includes(model_answer) ? 1 : 0);
    }
    expect(answers[1]).toMatchObject({
      question_id: 'frage 1',
      image_id: imageOf(1),
      direct_answers: ['green', 'dark green'],
      question_type: 'color in words',
      losses: [],
    });

    const { badCases, errorByType } = await classify(context);
    const found = await readClassifiedBadCases(join(folder, 'classify'));
    expect(Object.keys(errorByType)).toEqual(['color', 'color in words']);
    expect(Object.values(found).flat()).toHaveLength(badCases);
    expect(badCases).toBe(answers.filter((answer) => !isRight(answer)).length);
    const [case1] = found['color in words'] ?? [];
    expect(case1?.prompt).toBe(
      `Question: What is the color of the part?\nAnswer: ${case1?.direct_answers[0]} (or: ${case1?.direct_answers[1]})\n` +
        `Wrong answer: ${case1?.model_answer}\nQuestion type: color in words`,
    );
    await gate(context);
    const { file } = await report(context);
    const html = await readFile(file, 'utf8');
    expect(html).toContain('Validation accuracy');
    expect(html).toContain(`0: ${case1?.model_answer} ✗`);
  });

  test('images of validation and test are never in the pool, though they lie in the same folder', async () => {
    const { file } = await writeOwnRun();
    const context = await tinyContext(file);
    const pool = await withPool(context.config, (images) => images.list());
    const excluded = await evaluatedImages(context, pool);
    expect([...excluded].sort()).toEqual(Array.from({ length: 18 }, (_, number) => imageOf(number)).sort());
    await embed(context);
    const ids = await readJson(join(context.run.root, 'embeddings/image_ids.json'), imageIdsSchema);
    expect(ids.validation).toHaveLength(12);
  });

  test('a path that an image of another folder has too leaves it in the pool', async () => {
    const { file } = await writeOwnRun((config, folder) => ({
      ...config,
      data: { ...(config as { data: object }).data, images: { train: 'photos', validation: 'other' } },
      runsDirectory: join(folder, 'runs'),
    }));
    const context = await tinyContext(file);
    const pool = await withPool(context.config, (images) => images.list());
    expect(await evaluatedImages(context, pool)).toEqual(new Set());
  });

  test('data check reads the questions and names what is wrong in them', async () => {
    const { file, root } = await writeOwnRun();
    const { config, ...rest } = await tinyContext(file);
    expect(await checkData(config, rest)).toMatchObject({ problems: [], questions: 18 });
    const lines = await readFile(join(root, 'validation.jsonl'), 'utf8');
    await writeFile(
      join(root, 'validation.jsonl'),
      lines.replace('"image":"linie-1/1.jpg"', '"image":"linie-1/none.jpg"'),
    );
    const { problems } = await checkData(config, rest);
    expect(problems.map(({ error }) => error.message).join()).toContain('linie-1/none.jpg');
  });
});
