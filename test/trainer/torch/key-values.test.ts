/** Nothing is computed twice when PyTorch ranks and writes, and what comes of it is what comes of computing all from the start. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { type EvaluationQuestion, evaluationQuestionSchema } from '../../../src/trainer/job-files.ts';
import { withFamily } from '../../../src/trainer/supervisor/trainer-step.ts';
import { maximumDifference } from '../../helpers/jobs.ts';
import { writeAsked, writeTinyModel, writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';
import { answersIn } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

interface Work {
  opened: number;
  encoded: number;
  /** Rows and positions of each pass through the language model. */
  passes: [rows: number, positions: number][];
}

describe.skipIf(!torchIsSetUp).each(['minigpt4', 'llava'] as const)('%s', (family) => {
  let folder: string;
  let questions: EvaluationQuestion[];
  const inFolder = (name: string) => path.join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'key-values-'));
    await writeTinyModel(inFolder('model'), { family });
    const { asked } = await writeTinyQuestions(inFolder('questions'), 6);
    questions = await readJsonLines(asked, evaluationQuestionSchema);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const jobOn = async (name: string, asked: readonly EvaluationQuestion[], changes: object = {}) => {
    const file = inFolder(`${name}-asked.jsonl`);
    await writeAsked(file, asked);
    const output = inFolder(`${name}.jsonl`);
    return { kind: 'evaluate', model: inFolder('model'), questions: file, batchSize: 5, output, ...changes } as const;
  };

  const answered = async (name: string, asked: readonly EvaluationQuestion[], changes: object, processes = 1) => {
    const job = await jobOn(name, asked, changes);
    await runTorch(job, inFolder('job'), { processes });
    return answersIn(job.output);
  };

  const worked = async (name: string, asked: readonly EvaluationQuestion[], changes: object = {}): Promise<Work> => {
    const job = inFolder(`${name}-job.json`);
    await writeFile(job, JSON.stringify(await withFamily(await jobOn(name, asked, changes))));
    return JSON.parse(await torchPython('count-work.py', job));
  };

  test('losses and texts are those of computing each from the start, with images and without, by one process and by two', async () => {
    const lengths = [3, 9, 14, 1, 7, 12];
    const asked = questions.map((question, at): EvaluationQuestion => {
      const words = ' and what else'.repeat(at % 3);
      const generate = { question: `${question.question}${words}`, maximumNewTokens: lengths[at] ?? 5 };
      return { ...question, image: at % 3 === 2 ? undefined : question.image, generate };
    });
    const wanted = await answered('anew', asked, { keyValueCache: false });
    for (const processes of [1, 2]) {
      const found = await answered(`kept-${processes}`, asked, {}, processes);
      expect(maximumDifference(found.losses, wanted.losses)).toBeLessThan(1e-4);
      expect(found.texts).toEqual(wanted.texts);
    }
    expect(new Set(wanted.texts).size).toBeGreaterThan(1);
  });

  test('an image is opened and encoded once for all choices of its question', async () => {
    const choices = questions.reduce((sum, { answers }) => sum + answers.length, 0);
    expect(choices).toBeGreaterThan(questions.length);
    expect(await worked('choices', questions)).toMatchObject({ opened: questions.length, encoded: questions.length });
    const anew = await worked('choices-anew', questions, { keyValueCache: false });
    expect(anew).toMatchObject({ opened: choices, encoded: choices });
    const positions = ({ passes }: Work) => passes.reduce((sum, [rows, length]) => sum + rows * length, 0);
    expect(positions(await worked('choices', questions))).toBeLessThan(positions(anew) / 2);
  });

  test('a written token is one pass over one position, for several answers at once', async () => {
    const maximumNewTokens = 6;
    const asked = questions.slice(0, 3).map(
      ({ question, ...rest }): EvaluationQuestion => ({
        ...{ ...rest, question, answers: [] },
        generate: { question, maximumNewTokens },
      }),
    );
    const { opened, encoded, passes } = await worked('written', asked);
    expect({ opened, encoded }).toEqual({ opened: 3, encoded: 3 });
    const [prompts, ...tokens] = passes;
    expect(prompts?.[0]).toBe(3);
    expect(tokens.length).toBeGreaterThan(0);
    expect(tokens.length).toBeLessThan(maximumNewTokens);
    for (const pass of tokens) expect(pass).toEqual([3, 1]);
  });
});
