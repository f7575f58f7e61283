/**
 * Which of a finetune's states is kept: with `validation` the one of the highest score on the validation questions, looked
 * for after every so many steps, as the reference system does after every epoch (`train` of its `runner_base.py`).
 */
import path from 'node:path';
import { z } from 'zod';
import { readJsonLines } from '../../../core/read-json.ts';
import { writeJsonLines } from '../../../core/write-file.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import {
  imagesOfQuestion,
  type ValidationLossRecord,
  type ValidationQuestion,
  validationQuestionSchema,
} from '../../job-files.ts';
import type { FinetuneJob, SettingsOf } from '../../protocol.ts';
import type { JobReporter } from '../../trainer-side.ts';
import { inBatches } from '../batch.ts';
import { type PackedQuestion, packedShape, packQuestion } from '../evaluate/packed-choices.ts';
import { imagesOfBatch, requireKnownImages } from '../evaluate/question-images.ts';
import type { PromptSettings } from '../sequence.ts';
import type { ImageSource } from '../vision/image-features.ts';
import type { FinetuneProgram } from './finetune-program.ts';

export const validationScoreSchema = z.object({
  /** Steps done. */
  step: z.number().int().positive(),
  /** The mean score of the answers that the model chose, 0 to 1. */
  score: z.number(),
});
export type ValidationScore = z.output<typeof validationScoreSchema>;

/** What was found so far. */
export interface Validated {
  scores: ValidationScore[];
  losses: ValidationLossRecord[];
  /** The state that is kept so far, with its flat parameters: the first of the highest score above zero, or of the lowest loss. */
  best?: { step: number; score?: number | undefined; parameters: Float32Array } | undefined;
}

export interface Validation {
  /** Files of the images that the questions show. */
  images: string[];
  /** The questions, in the batches that the program has to rank. */
  ranked: { batches: PackedQuestion[][]; batchSize: number };
  /** Whether the state after so many steps is to be scored and was not yet. */
  isDue(step: number, validated: Validated): boolean;
  /** The mean score of the answers that the trained model chooses. @throws the reporter's reason when it is aborted */
  score(program: FinetuneProgram, features: ImageSource): Promise<number>;
}

/**
 * Reads and tokenizes the validation questions.
 *
 * @returns undefined for a job without validation
 */
export async function prepareValidation(
  { directory }: Pick<ModelDirectory, 'directory'>,
  prompts: PromptSettings,
  { steps, validation }: SettingsOf<FinetuneJob>,
  reporter: JobReporter,
): Promise<Validation | undefined> {
  if (!validation) return undefined;
  const { everySteps, batchSize } = validation;
  const questions = await readJsonLines(validation.questions, validationQuestionSchema);
  requireKnownImages(directory, questions, prompts.form);
  const packed = await Promise.all(questions.map((question) => packQuestion(question, prompts)));
  const batches = inBatches(packed, batchSize);
  const batchesOfQuestions = inBatches(questions, batchSize);
  return {
    images: questions.flatMap(imagesOfQuestion),
    ranked: { batches, batchSize },
    isDue: (step, { scores }) =>
      step > 0 && (step % everySteps === 0 || step === steps) && (scores.at(-1)?.step ?? 0) < step,
    async score(program, features) {
      let sum = 0;
      for (const [index, batch] of batches.entries()) {
        const asked = batchesOfQuestions[index] as ValidationQuestion[];
        const images = await features.batch(imagesOfBatch(asked, packedShape(batch, batchSize).images));
        for (const [place, losses] of program.rank(batch, images).entries()) {
          sum += (asked[place] as ValidationQuestion).scores[lowest(losses)] as number;
        }
        reporter.progress({ phase: 'validation', step: index + 1, steps: batches.length });
        await new Promise(setImmediate);
        reporter.signal.throwIfAborted();
      }
      return sum / questions.length;
    },
  };
}

/** The first of the lowest losses. */
function lowest(losses: readonly number[]): number {
  return losses.reduce((best, loss, index) => (loss < (losses[best] as number) ? index : best), 0);
}

/** Adds the score of a state, which becomes the best one if it is higher than all before it. */
export function withScore(
  { scores, best, ...rest }: Validated,
  { step, score, read }: ValidationScore & { read: () => Float32Array },
): Validated {
  const isBest = score > (best?.score ?? 0);
  return { ...rest, scores: [...scores, { step, score }], best: isBest ? { step, score, parameters: read() } : best };
}

const scoresFile = 'validation.jsonl';

/** Writes all scores: `validation.jsonl`. @returns the file's name */
export async function writeScores(directory: string, { scores }: Validated): Promise<string> {
  await writeJsonLines(path.join(directory, scoresFile), scores);
  return scoresFile;
}
