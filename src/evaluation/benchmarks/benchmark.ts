/**
 * What a benchmark has to say for itself: how its official file is read, how a question is put to the model, and how
 * the answers are scored. Everything else (shards, blind mode, confidence intervals, comparison, report) is the same for
 * all; see docs/benchmarks.md.
 */
import type { EvaluationQuestion } from '../../trainer/protocol.ts';
import type { Option } from '../extract-choice.ts';

/** Where a benchmark's files are; absolute or as a person gave them. */
export interface BenchmarkSource {
  /** The official file. */
  file: string;
  /** The folder of its images, for benchmarks whose file does not hold them. */
  images?: string | undefined;
  /** Takes only this many questions, from the start of the file. */
  limit?: number | undefined;
  /** A folder for images that the file itself holds. Several processes may fill it at once. */
  extractedImages: string;
}

/** What all questions have, of any benchmark. */
export interface BenchmarkQuestion {
  /** No other question of the file has it. */
  id: string;
  /** Absolute path. */
  image: string;
}

/** A question and what the model made of it. */
export interface AnsweredQuestion<Q extends BenchmarkQuestion = BenchmarkQuestion> {
  question: Q;
  /** Index of the answer that the model chose, in the order of `ask`'s answers; none when no choice was found in it. */
  choice: number | undefined;
  /** Mean loss of each answer. */
  losses: number[];
  /** What the model wrote, where it was asked to. */
  text?: string | undefined;
}

/** How one thing that a benchmark counts (a question, or a group of them) came out. */
export interface QuestionScore {
  id: string;
  /** 0 for wrong to 1 for right. */
  score: number;
  /** Way of sorting → class, such as `category` → `ocr`: there is a score for each. */
  groups?: Record<string, string> | undefined;
}

/** Measure, such as `accuracy` → the scores that its mean is taken of. The first measure is the benchmark's main one. */
export type Measures = Record<string, QuestionScore[]>;

/** What a question would give away to a model that is trained on it. */
export interface QuestionContent {
  question: string;
  choices: readonly string[];
  /** COCO's id of the image, for a benchmark about COCO's images. */
  imageId?: number;
}

/** Whether the model writes its answers, as a config says it (`evaluate`). What is not said is the benchmark's own. */
export interface AnswerSettings {
  mmbenchAnswers?: 'generated' | 'ranked' | undefined;
  directAnswers?: 'choice' | 'generated' | undefined;
}

/** A benchmark. One file each in this folder; `index.ts` lists them. */
export interface Benchmark<Q extends BenchmarkQuestion = BenchmarkQuestion> {
  /** As people write it. */
  title: string;
  /** Path under the data root, a file or a folder → how to download what belongs there. */
  downloads: Readonly<Record<string, string>>;
  /** @throws InputError naming line or field of what is wrong in the file */
  read(source: BenchmarkSource): Promise<Q[]>;
  /**
   * How a question is put to the model, and the answers that are ranked.
   *
   * @param generated the model writes an answer, instead of ranking or beside it; a benchmark may know no such way
   */
  ask(question: Q, generated?: boolean): Omit<EvaluationQuestion, 'question_id' | 'image'>;
  /** By these settings, whether `ask` is told `generated`; absent for a benchmark that only ranks. */
  writesAnswers?(settings: AnswerSettings): boolean;
  /** What no training sample may have (see `src/generation/leaks.ts`). */
  content(question: Q): QuestionContent;
  /** Among what a written answer's choice is looked for, in the order of choices; without it no choice is. */
  options?(question: Q): { question: string; options: readonly Option[] };
  score(answered: readonly AnsweredQuestion<Q>[]): Measures;
  /**
   * Writes the answers in formats that others expect.
   *
   * @returns the files' names, relative to the folder
   */
  write?(answered: readonly AnsweredQuestion<Q>[], folder: string): Promise<string[]>;
}
