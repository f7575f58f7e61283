import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readJsonLines } from '../../../../src/core/read-json.ts';
import { writeJsonLines } from '../../../../src/core/write-file.ts';
import { readAdapter } from '../../../../src/model/files/adapter.ts';
import { openSafetensors } from '../../../../src/model/files/safetensors.ts';
import {
  evaluationAnswerSchema,
  evaluationQuestionSchema,
  type ValidationQuestion,
} from '../../../../src/trainer/job-files.ts';
import { evaluate } from '../../../../src/trainer/jobs/evaluate/evaluate.ts';
import { finetune } from '../../../../src/trainer/jobs/finetune/finetune.ts';
import { validationScoreSchema } from '../../../../src/trainer/jobs/finetune/validation.ts';
import { merge } from '../../../../src/trainer/jobs/merge/merge.ts';
import type { FinetuneJob } from '../../../../src/trainer/protocol.ts';
import { lossesIn, maximumDifference, recordingReporter, tinyFinetune } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { makeTinyTraining, type TinyMixture } from '../../../helpers/tiny-model.ts';

const STEPS = 12;
let folder: string;
let model: string;
let mixture: TinyMixture;

beforeAll(async () => {
  ({ folder, model, mixture } = await makeTinyTraining(STEPS * 2));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A finetune that ranks the questions of the mixture after every fourth step. */
async function validatedJob(
  output: string,
  scoresOf: (index: number) => number[],
  changes: Partial<FinetuneJob> = {},
): Promise<FinetuneJob> {
  const asked = await readJsonLines(mixture.asked, evaluationQuestionSchema);
  const questions = path.join(output, 'validation-questions.jsonl');
  await writeJsonLines(
    questions,
    asked.map((question, index): ValidationQuestion => ({ ...question, scores: scoresOf(index) })),
  );
  return tinyFinetune(model, mixture, output, {
    steps: STEPS,
    checkpointEverySteps: 3,
    validation: { questions, everySteps: 4, batchSize: 5 },
    ...changes,
  });
}

const rightIsOne = (index: number) => {
  const right = mixture.questions[index]?.correct_choice_idx;
  return [0, 1, 2, 3].map((choice) => (choice === right ? 1 : 0));
};
const allAreOne = () => [1, 1, 1, 1];
const scoresIn = (output: string) => readJsonLines(path.join(output, 'validation.jsonl'), validationScoreSchema);

/** The adapter's values in the order of the flat parameters of a checkpoint. */
async function adapterIn(output: string): Promise<number[]> {
  const { tensors } = await readAdapter(output);
  return [...tensors].flatMap(([, { A, B }]) => [...A.data, ...B.data]).sort((one, other) => one - other);
}

async function parametersOf(checkpoint: string): Promise<number[]> {
  const file = await openSafetensors(checkpoint);
  const values = await file.read('parameters');
  await file.close();
  return [...values].sort((one, other) => one - other);
}

test('the first of the best states is kept, whatever the training learns after it', async () => {
  const output = await temporaryFolder();
  const { metrics, outputs } = await finetune(await validatedJob(output, allAreOne), recordingReporter());
  expect(metrics).toMatchObject({ keptStep: 4, validationScore: 1, steps: STEPS });
  expect(outputs).toContain('validation.jsonl');
  expect(await scoresIn(output)).toEqual([4, 8, 12].map((step) => ({ step, score: 1 })));

  const stopped = await temporaryFolder();
  const job = tinyFinetune(model, mixture, stopped, { steps: STEPS });
  await expect(finetune(job, recordingReporter(4))).rejects.toThrow('asked to stop');
  const atStep4 = await parametersOf(path.join(stopped, 'checkpoints', 'step-00000004.safetensors'));
  expect(maximumDifference(await adapterIn(output), atStep4)).toBeLessThan(1e-6);
});

test('a state that scores nothing is not kept: without a better one it is the last', async () => {
  const [output, plain] = [await temporaryFolder(), await temporaryFolder()];
  const { metrics } = await finetune(await validatedJob(output, () => [0, 0, 0, 0]), recordingReporter());
  expect(metrics).toMatchObject({ keptStep: STEPS, validationScore: 0 });
  await finetune(tinyFinetune(model, mixture, plain, { steps: STEPS }), recordingReporter());
  expect(await lossesIn(output)).toEqual(await lossesIn(plain));
  expect(await adapterIn(output)).toEqual(await adapterIn(plain));
});

test('the score is that of the merged model in an evaluation', async () => {
  const output = await temporaryFolder();
  const { metrics } = await finetune(await validatedJob(output, rightIsOne), recordingReporter());
  const merged = path.join(output, 'merged');
  const parity = { samples: mixture.samplesFile, count: 2, tolerance: 1e-3 };
  await merge({ model, adapter: output, output: merged, parity }, recordingReporter());
  const losses = path.join(output, 'losses.jsonl');
  await evaluate({ model: merged, questions: mixture.asked, batchSize: 4, output: losses }, recordingReporter());
  const answers = await readJsonLines(losses, evaluationAnswerSchema);
  const right = answers.filter((answer, index) => {
    const chosen = answer.losses.indexOf(Math.min(...answer.losses));
    return chosen === mixture.questions[index]?.correct_choice_idx;
  });
  expect(metrics.validationScore).toBeCloseTo(right.length / answers.length, 6);
});

test.each([
  { when: 'between two validations', stopAt: { step: 6 } },
  { when: 'in the middle of a validation', stopAt: { validation: 5 } },
])('aborted $when it resumes, and keeps the same state', async ({ stopAt }) => {
  const [undisturbed, output] = [await temporaryFolder(), await temporaryFolder()];
  const whole = await finetune(await validatedJob(undisturbed, rightIsOne), recordingReporter());
  const job = await validatedJob(output, rightIsOne);
  await expect(finetune(job, stopAt.step ? recordingReporter(stopAt.step) : stoppingInValidation(2))).rejects.toThrow(
    'asked to stop',
  );
  const { metrics } = await finetune(job, recordingReporter());
  expect(metrics.resumedAtStep).toBeGreaterThanOrEqual(stopAt.step ?? 8);
  expect({ ...metrics, resumedAtStep: 0 }).toEqual({
    ...whole.metrics,
    loss: expect.closeTo(whole.metrics.loss ?? 0, 5),
  });
  expect(await scoresIn(output)).toEqual(await scoresIn(undisturbed));
  expect(maximumDifference(await adapterIn(output), await adapterIn(undisturbed))).toBeLessThan(1e-6);
});

test('killed after the best state, it has it still: each checkpoint holds it', async () => {
  const output = await temporaryFolder();
  const job = await validatedJob(output, allAreOne);
  await expect(finetune(job, recordingReporter(9))).rejects.toThrow('asked to stop');
  const record = JSON.parse(await readFile(path.join(output, 'checkpoints', 'step-00000009.json'), 'utf8'));
  expect(record.validated.best).toEqual({ step: 4, score: 1 });
  // The newest is lost: the one before it, of step 6, has the best state too.
  await rm(path.join(output, 'checkpoints', 'step-00000009.safetensors'));
  const { metrics } = await finetune(job, recordingReporter());
  expect(metrics).toMatchObject({ resumedAtStep: 6, keptStep: 4 });
});

/** Stops at the first report of the n-th validation. */
function stoppingInValidation(count: number): ReturnType<typeof recordingReporter> {
  const abort = new AbortController();
  const reporter = recordingReporter();
  let started = 0;
  return {
    ...reporter,
    signal: abort.signal,
    progress(progress) {
      reporter.progress(progress);
      if (progress.phase !== 'validation' || progress.step !== 1) return;
      started += 1;
      if (started === count) abort.abort(new Error('asked to stop'));
    },
  };
}
