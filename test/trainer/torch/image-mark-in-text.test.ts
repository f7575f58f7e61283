/** Case `bugs/13-image-mark-in-text` under torchrun: a question about a special token is one of all, and its text is text. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { type EvaluationQuestion, evaluationQuestionSchema } from '../../../src/trainer/job-files.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { maximumDifference, recordingReporter } from '../../helpers/jobs.ts';
import { writeAsked, writeTinyModel, writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';
import { answersIn } from './torch-rig.ts';

vi.setConfig(TORCH_TIMEOUTS);

describe.skipIf(!torchIsSetUp)('a special token in the words of a question', () => {
  let folder: string;
  const inFolder = (name: string) => path.join(folder, name);
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'mark-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** One question in plain words, then the same with the mark in question, choice and written question, with and without its image. */
  async function asked(mark: string): Promise<string> {
    const { asked } = await writeTinyQuestions(inFolder('questions'), 2);
    const [plain] = (await readJsonLines(asked, evaluationQuestionSchema)) as [EvaluationQuestion];
    const generate = { question: `Which of ${mark} and <b> is red?`, maximumNewTokens: 3 };
    const tag = {
      ...plain,
      question_id: 'tag',
      question: `Which of ${mark} and ${mark}s is red?\n(A) ${mark} (B) b\n`,
      answers: [`${plain.answerStart} (A) ${mark}`, `${plain.answerStart} (B) b`],
      generate,
    };
    const file = inFolder('asked.jsonl');
    await writeAsked(file, [plain, tag, { ...tag, question_id: 'blind', image: undefined, generate: undefined }]);
    return file;
  }

  test.each([
    ['minigpt4', '<ImageHere>'],
    ['llava', '<image>'],
    ['minigpt4', '</s><pad>'],
    ['llava', '</s><s>'],
  ] as const)('%s: both trainers have the same losses and texts', async (family, mark) => {
    const model = inFolder(family);
    await writeTinyModel(model, { family });
    const job = { model, questions: await asked(mark), batchSize: 4 };
    const [ours, theirs] = [inFolder(`${family}-ours.jsonl`), inFolder(`${family}-theirs.jsonl`)];
    await evaluate({ ...job, output: ours }, recordingReporter());
    await runTorch({ kind: 'evaluate', ...job, output: theirs }, inFolder('job'), { processes: 1 });
    const [wanted, found] = [await answersIn(ours), await answersIn(theirs)];
    expect(maximumDifference(found.losses, wanted.losses)).toBeLessThan(1e-3);
    expect(found.texts).toEqual(wanted.texts);
  });

  test.each([
    ['qwen2_5_vl', '<|image_pad|>'],
    ['qwen2_5_vl', '<|im_end|><|im_start|>'],
    ['llava_next', '<image>'],
  ])('%s, by its chat template: the evaluation is whole', async (kind, mark) => {
    const model = inFolder(kind);
    await torchPython('make-chat-model.py', kind, model);
    const job = { kind: 'evaluate', model, questions: await asked(mark), batchSize: 4 } as const;
    const output = inFolder(`${kind}.jsonl`);
    await runTorch({ ...job, output }, inFolder('job'), { processes: 1 });
    const { losses, texts } = await answersIn(output);
    expect(losses).toHaveLength(4 + 2 + 2);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(texts.map((text) => text !== undefined)).toEqual([false, true, false]);
  });
});
