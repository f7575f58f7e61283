/** Rounds that are judged by questions of your own, with choices and with short answers. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { trainingSampleSchema } from '../../src/datasets/train-dataset.ts';
import { isRight } from '../../src/evaluation/bad-cases.ts';
import { verificationRequest } from '../../src/generation/verification.ts';
import { append } from '../../src/round/append/append.ts';
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
import { generate } from '../../src/round/generate/generate.ts';
import { merge } from '../../src/round/merge/merge.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { refine } from '../../src/round/refine/refine.ts';
import { report } from '../../src/round/report/report.ts';
import { readSampledRequests } from '../../src/round/sample/results.ts';
import { sample } from '../../src/round/sample/sample.ts';
import type { StepContext } from '../../src/round/step-context.ts';
import { verify } from '../../src/round/verify/verify.ts';
import { evaluationQuestionSchema } from '../../src/trainer/job-files.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';
import { completionOf, faultyServer, goodAnswer } from '../teacher/faulty-server.ts';
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

describe('round 1 on a mixed file', { timeout: 240_000 }, () => {
  test('the teacher is asked for both kinds, and what is trained on has the words of the evaluation', async () => {
    const { received, baseUrl } = await faultyServer(({ number, body }) => {
      const isShort = JSON.stringify(body).includes('Answer: <the short answer>');
      return { body: completionOf(isShort ? shortAnswer(number) : goodAnswer(number)) };
    });
    const { file } = await writeOwnRun((config, folder) => ({
      ...config,
      model: { path: join(folder, 'model') },
      sampling: { requests: 12, nearestImages: 4, inContextExamples: 1 },
      teacher: { ...(config as { teacher: object }).teacher, baseUrl },
      finetune: {
        epochs: 1,
        stepsPerEpoch: 20,
        batchSize: 2,
        checkpointEverySteps: 20,
        learningRate: { warmupSteps: 2 },
      },
    }));
    await writeTinyModel(join(dirname(file), 'model'));
    const context = await tinyContext(file, { trainer: undefined });
    const inRound = (round: number): StepContext => ({ ...context, round });
    await prepareData(context);
    const measure = async (round: number) => {
      await finetune(inRound(round));
      await merge(inRound(round));
      const evaluated = await evaluate(inRound(round));
      await classify(inRound(round));
      await gate(inRound(round));
      return evaluated;
    };
    expect(await measure(0)).toMatchObject({ measure: 'accuracy', questions: 12 });
    await embed(context);
    await sample(inRound(1));
    const requests = await readSampledRequests(join(context.run.root, 'round-1/sample'));
    const short = requests.filter(({ short_answer }) => short_answer);
    expect(short.length).toBeGreaterThan(0);
    expect(requests.length).toBeGreaterThan(short.length);
    const evaluatedIds = Array.from({ length: 18 }, (_, number) => imageOf(number));
    expect(requests.filter(({ image_id }) => evaluatedIds.includes(image_id as string))).toEqual([]);
    await generate(inRound(1));
    const prompts = received.map(({ body }) => JSON.stringify(body));
    expect(prompts.filter((prompt) => prompt.includes('Answer: <the short answer>'))).toHaveLength(short.length);
    expect(prompts.find((prompt) => prompt.includes('Wrong answer: '))).toContain(
      'color in words: Questions like those',
    );
    expect(await refine(inRound(1))).toMatchObject({ accepted: requests.length, rejected: 0 });
    await append(inRound(1));
    expect(await measure(1)).toMatchObject({ questions: 12 });
    const trained = await readJsonLines(
      join(context.run.root, 'round-1/finetune/mixture/samples.jsonl'),
      trainingSampleSchema,
    );
    const added = trained.filter(({ source, prompt }) => source === 'round1' && prompt?.endsWith(`\n${instruction}\n`));
    expect(added).toHaveLength(short.length);
    for (const { prompt, answer } of added) {
      expect(prompt).toMatch(new RegExp(`^What is number \\d+ of the parts made of\\?\\n${instruction}\\n$`));
      expect(answer).toMatch(/^steel \d+$/);
    }
    const html = await readFile((await report(inRound(1))).file, 'utf8');
    expect(html).toContain(added[0]?.answer);
  });

  test('the teacher answers its own short-answer questions, and answers are compared by the metric', async () => {
    const { received, baseUrl } = await faultyServer(({ number, body }) => {
      const prompt = JSON.stringify(body.messages);
      const [, made] = /number (\d+) of the parts made of/.exec(prompt.split('## Question to answer')[1] ?? '') ?? [];
      const [, letter] = /\((\w)\) wooden cart/.exec(prompt.split('## Choices')[1] ?? '') ?? [];
      if (letter !== undefined) return { body: completionOf(`Seen.\nAnswer: (${letter})`) };
      if (made !== undefined && prompt.includes("images that you can't see")) {
        return { body: completionOf('A guess.\nAnswer: wood') };
      }
      // Of each second one it is of another mind when it does not see its answer.
      if (made !== undefined) {
        return { body: completionOf(`Seen.\nAnswer: ${Number(made) % 2 === 0 ? `The Steel ${made}!` : 'wood'}`) };
      }
      const isShort = prompt.includes('Answer: <the short answer>');
      return { body: completionOf(isShort ? shortAnswer(number) : goodAnswer(number)) };
    });
    const { file } = await writeOwnRun((config) => ({
      ...config,
      sampling: { requests: 12, nearestImages: 4, inContextExamples: 1 },
      teacher: { ...(config as { teacher: object }).teacher, baseUrl },
      verify: {
        ...(config as { verify: object }).verify,
        blindAnswers: 1,
        languageOnlyAnswers: 1,
        languageOnlyRight: 1,
        keepNeedsNoImage: 1,
        blindPrompt: projectFile('configs/prompts/verify-from-image-v1.md'),
      },
    }));
    const context = await tinyContext(file);
    const first: StepContext = { ...context, round: 1 };
    await prepareData(context);
    await finetune(context);
    await merge(context);
    await evaluate(context);
    await classify(context);
    await gate(context);
    await embed(context);
    await sample(first);
    await generate(first);
    const before = received.length;
    const { samples, answers } = await verify(first);
    expect([answers, received.length - before]).toEqual([2 * samples, 2 * samples]);
    const asked = await readJsonLines(join(context.run.root, 'round-1/verify/requests.jsonl'), verificationRequest);
    const short = asked.filter(({ kind, expected_answer }) => kind === 'blind' && expected_answer !== undefined);
    expect(short.length).toBeGreaterThan(2);
    expect(short.every(({ question }) => question.endsWith(`?\n${instruction}`))).toBe(true);
    const odd = short.filter(({ expected_answer = '' }) => Number(expected_answer.replace(/\D/g, '')) % 2 === 1);
    expect(odd.length).toBeGreaterThan(0);
    const { accepted, rejected } = await refine(first);
    expect(rejected).toBe(odd.length + (12 - samples));
    expect(accepted).toBe(samples - odd.length);
    expect(await readFile(join(context.run.root, 'round-1/refine/rejected.jsonl'), 'utf8')).toContain(
      '"reason":"teacher_disagrees"',
    );
  });

  test('verification by the metric judge is refused by name, before anything is trained', async () => {
    const { file } = await writeOwnRun((config) => {
      const { data, ...others } = config as { data: Record<string, object> };
      return {
        ...others,
        verify: { blindAnswers: 1 },
        data: { ...data, validation: { ...data.validation, questions: { metric: 'judge' } } },
      };
    });
    await expect(prepareData(await tinyContext(file))).rejects.toThrow(
      /verify: compares short answers by the metric of data\.validation, and judge is none that compares/,
    );
  });
});

function shortAnswer(number: number): string {
  return [
    `Question: What is number ${number} of the parts made of?`,
    `Answer: steel ${number}.`,
    'Explanations: It shines.',
  ].join('\n');
}
