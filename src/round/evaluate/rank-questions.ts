import { join } from 'node:path';
import type { NumberFormats } from '../../config/finetune-schema.ts';
import type { Manifest } from '../../core/manifest.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import type { EvaluationQuestion } from '../../trainer/job-files.ts';
import { runTrainerStep, type TrainerContext } from '../../trainer/supervisor/trainer-step.ts';
import { hashAsked } from '../evaluation-sets.ts';

export const lossesFile = 'losses.jsonl';
const questionsFile = 'questions.jsonl';

/** Has the trainer find the loss of every answer: `losses.jsonl` in the step's folder. */
export async function rankQuestions({
  context,
  directory,
  model,
  openModel,
  modelFiles,
  asked,
  batchSize,
  keyValueCache,
  computeDtype,
  weightDtype,
  inputs,
}: {
  context: TrainerContext;
  directory: string;
  model: string;
  /** Called before the model is read: not where the answers are there already. */
  openModel?: () => Promise<unknown>;
  /** File → SHA-256 of the model directory. */
  modelFiles: Record<string, string>;
  asked: readonly EvaluationQuestion[];
  /** Questions at a time. */
  batchSize: number;
  keyValueCache?: boolean | undefined;
  /** What else the result depends on, such as the hash of the benchmark's file, which may contain the images. */
  inputs: Record<string, unknown>;
} & NumberFormats): Promise<{ manifest: Manifest; skipped: boolean }> {
  return runTrainerStep({
    context,
    directory,
    step: 'evaluate-shard',
    inputs: { model: modelFiles, asked: hashAsked(asked), computeDtype, weightDtype, ...inputs },
    prepare: async () => {
      await openModel?.();
      const questions = join(directory, questionsFile);
      await writeJsonLines(questions, asked);
      return {
        kind: 'evaluate',
        model,
        questions,
        batchSize,
        ...(keyValueCache === false && { keyValueCache }),
        computeDtype,
        weightDtype,
        output: join(directory, lossesFile),
      };
    },
    finish: async ({ metrics }) => ({ outputs: [lossesFile], metrics }),
  });
}
