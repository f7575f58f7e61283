/** The questions that rounds are judged by: A-OKVQA's, or a file of your own. */
import type { ImageId } from '../core/images/image-id.ts';
import { hashInputFile } from '../core/read-json.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import { hashTable } from '../datasets/tables/shards.ts';
import type { BenchmarkQuestion, QuestionSettings } from '../evaluation/benchmarks/benchmark.ts';
import { type QuestionSet, questionSet, type Split } from './dataset-paths.ts';
import {
  type EvaluationSet,
  extractedImagesFolder,
  readEvaluationSet,
  requireEvaluationSet,
} from './evaluation-sets.ts';
import type { StepContext } from './step-context.ts';

/** A validation or test question. Benchmarks that rounds may be judged by read questions with these fields. */
export interface LoopQuestion extends BenchmarkQuestion {
  /** The same as `id`. */
  question_id: string;
  image_id: ImageId;
  question: string;
  /** None for a short answer. */
  choices?: readonly string[] | undefined;
  /** The place of the right choice, of A-OKVQA's. */
  correct_choice_idx?: number | undefined;
  /** The same of a question of your own. */
  correct?: number | undefined;
  /** Where the file has it. */
  question_type?: string | undefined;
}

type Context = Pick<StepContext, 'config' | 'run'>;

/** Reads the questions of a split that the config has. @throws InputError for what does not fit in their file */
export async function readLoopQuestions({ config, run }: Context, split: Split): Promise<LoopQuestion[]> {
  return readLoopSet(requireEvaluationSet(config, run, split), run);
}

/** The same of a set that is one of these splits. */
export async function readLoopSet(set: EvaluationSet, run: RunDirectory): Promise<LoopQuestion[]> {
  return (await readEvaluationSet(set, extractedImagesFolder(run))) as LoopQuestion[];
}

/** What the questions of a split depend on, by content. */
export async function questionInputs({ file, limit, questions }: QuestionSet): Promise<Record<string, unknown>> {
  if (questions === undefined) return { questions: await hashInputFile(file), limit };
  return { questions: { file: await hashTable(file), settings: contentSettings(questions) }, limit };
}

/** The settings by which questions are read: how they are judged is what the judging depends on alone. */
export function contentSettings(questions: QuestionSettings | undefined): QuestionSettings | undefined {
  if (questions?.judge === undefined) return questions;
  const { judge: _, ...settings } = questions;
  return settings;
}

/** Finds the image of a validation question by its id. */
export async function validationImages({ config, run }: Context): Promise<(imageId: ImageId) => Promise<string>> {
  const { images, questions } = questionSet(config, 'validation') as QuestionSet;
  if (questions === undefined) return images.fileOf;
  // Some may be in the file of the questions itself.
  const files = new Map(
    (await readLoopQuestions({ config, run }, 'validation')).map((one) => [one.image_id, one.image]),
  );
  return async (imageId) => files.get(imageId) ?? images.fileOf(imageId);
}
