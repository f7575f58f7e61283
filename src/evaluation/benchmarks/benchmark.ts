/**
 * What a benchmark defines: how its official file is read, how a question is put to the model, and how the answers are
 * scored. Everything else (shards, blind mode, confidence intervals, comparison, report) is the same for all; see
 * docs/benchmarks.md.
 */
import type { ImageId } from '../../core/images/image-id.ts';
import { InputError } from '../../core/input-error.ts';
import type { QuestionColumn } from '../../datasets/own-questions.ts';
import type { TableFormat } from '../../datasets/tables/index.ts';
import type { EvaluationQuestion } from '../../trainer/job-files.ts';
import type { EvaluatedQuestion } from '../bad-cases.ts';
import type { AnswerToJudge } from '../judge/judge-requests.ts';
import type { MetricName } from '../metrics/index.ts';
import type { JsonFields } from '../metrics/json-fields.ts';

/** Where a benchmark's files are; absolute or as a person gave them. */
export interface BenchmarkSource {
  /** The official file. */
  file: string;
  /** The folder of its images, for benchmarks whose file does not hold them. */
  images?: string | undefined;
  /** Where the image of an id is. Default: by the names in the folder (`src/datasets/image-folder.ts`). */
  imageFile?: ((imageId: ImageId) => Promise<string>) | undefined;
  /** Takes only this many questions, from the start of the file. */
  limit?: number | undefined;
  /** The file must have answers. */
  answersRequired?: boolean | undefined;
  /** For a benchmark that takes them. */
  questions?: QuestionSettings | undefined;
  /** A folder for images that the file itself holds. Several processes may fill it at once. */
  extractedImages: string;
}

/** How questions of your own are read and scored. */
export interface QuestionSettings {
  /** How short answers are scored; default exact-match. */
  metric?: MetricName | undefined;
  /** Of a metric that has one. */
  tolerance?: number | undefined;
  /** Of a metric that has them. */
  fields?: JsonFields | undefined;
  /** How the teacher judges, for the metric of that name. */
  judge?: JudgeSettings | undefined;
  /** What a question with a short answer ends with. */
  instruction?: string | undefined;
  /** Default: by the file's content. */
  format?: TableFormat | undefined;
  /** The names of columns that have other names than those of docs/data.md. */
  columns?: Partial<Record<QuestionColumn, string>> | undefined;
  /** Leaves records that do not fit out. */
  skipInvalid?: boolean | undefined;
}

export interface JudgeSettings {
  /** The prompt. */
  rubric?: string | undefined;
  /** Answers that people have labelled, under the data root. */
  labelled?: string | undefined;
  /** How many answers are judged again, in another order and with padding. */
  checks: number;
}

/** The fields of every question, of any benchmark. */
export interface BenchmarkQuestion {
  /** Unique within the file. */
  id: string;
  /** Absolute path; undefined for a question in words alone. */
  image?: string | undefined;
  /** Absolute paths of the images after it, in the order that the question shows them. */
  laterImages?: readonly string[] | undefined;
}

/** A question and the model's answer. */
export interface AnsweredQuestion<Q extends BenchmarkQuestion = BenchmarkQuestion> {
  question: Q;
  /** Index of the answer that the model chose, in the order of `ask`'s answers; none when no choice was found. */
  choice: number | undefined;
  /** The same by a more lenient rule, for a written answer of which `choice` is what the official rule finds. */
  lenientChoice?: number | undefined;
  /** Mean loss of each answer. */
  losses: number[];
  /** The score that a judge gave the written answer, 0 to 1. */
  judged?: number | undefined;
  /** The score that another program gave the written answer, 0 to 1: it is not scored again. */
  given?: number | undefined;
  /** The written answer, where there is one. */
  text?: string | undefined;
}

/** The score of a question, or of a group of questions that count as one. */
export interface QuestionScore {
  id: string;
  /** 0 for wrong to 1 for right. */
  score: number;
  /** Grouping → group, such as `category` → `ocr`: each gets a score of its own. */
  groups?: Record<string, string> | undefined;
  /** The question that it is about, where that has another id. */
  question?: string;
  /** The number of its image, where several questions are about one: filled in by those who know all questions. */
  image?: number | undefined;
}

/** Measure, such as `accuracy` → the scores that its mean is taken of. The first measure is the benchmark's main one. */
export type Measures = Record<string, QuestionScore[]>;

/**
 * A figure that is no mean of the questions' scores, such as an F1 score. A share is 0 to 1; points are as the benchmark's
 * authors print them.
 */
export interface CombinedScore {
  value: number;
  unit: 'share' | 'points';
  /** Grouping → group → its value, as those of `Measures`. */
  groups?: Record<string, Record<string, number>> | undefined;
}

/** What `combine` is given: the mean of each measure, and of each of its groups. */
export type MeasureMeans = Readonly<
  Record<string, { value: number; groups: Readonly<Record<string, Readonly<Record<string, { value: number }>>>> }>
>;

/** What a check of a benchmark's file finds. */
export interface CheckedQuestions {
  questions: number;
  /** Absolute paths. */
  images: readonly string[];
  /** Reason → how many questions are left out for it. */
  leftOut?: Readonly<Record<string, number>>;
}

/** What would leak if a training sample had it. */
export interface QuestionContent {
  question: string;
  choices: readonly string[];
  /** The right answers, of a question with a short answer. */
  answers?: readonly string[] | undefined;
  /** The id of the image, for a benchmark about images that have ids, such as COCO's. */
  imageId?: ImageId;
}

/**
 * How questions are answered. `ranked`: the model chooses the answer of the lowest loss. `generated`: it writes an
 * answer, instead of ranking or beside it.
 */
export const answerModes = ['ranked', 'generated'] as const;
export type AnswerMode = (typeof answerModes)[number];

/** The words that a question is put in: those of training, or OpenCompass's, by which the reference system's MMBench is. */
export const promptNames = ['training', 'opencompass'] as const;
export type PromptName = (typeof promptNames)[number];

/** A choice and the letter that the question gives it. */
export interface LetteredChoice {
  letter: string;
  text: string;
}

/** A benchmark. One file each in this folder; `index.ts` lists them. */
export interface Benchmark<Q extends BenchmarkQuestion = BenchmarkQuestion> {
  /** As people write it. */
  title: string;
  /** How its questions can be answered, the default first. */
  answerModes: readonly [AnswerMode, ...AnswerMode[]];
  /** Whether a written answer may be asked for by a prompt other than `training`. */
  prompts?: readonly PromptName[];
  /** Whether how it is read and scored is for the config to say (`BenchmarkSource.questions`). */
  takesQuestionSettings?: boolean;
  /** Path under the data root, a file or a folder → how to download what belongs there. */
  downloads: Readonly<Record<string, string>>;
  /** The official files that `data check` looks for under the data root, and checks where the folder is there. */
  officialFiles?: { folder: string; extension: string };
  /** All files that the questions and answers are read from, where `file` alone is not all of it, or is a folder. */
  contentFiles?(file: string): Promise<string[]>;
  /** @throws InputError naming line or field of what is wrong in the file */
  read(source: BenchmarkSource): Promise<Q[]>;
  /**
   * Checks the file as `read` does, but writes no images: for benchmarks whose file holds them.
   *
   * @returns how many questions it has, and their images that are files
   * @throws InputError as `read` does
   */
  check?(source: Omit<BenchmarkSource, 'extractedImages'>): Promise<CheckedQuestions>;
  /** How a question is put to the model, and the answers that are ranked. */
  ask(question: Q, mode: AnswerMode, prompt?: PromptName): Omit<EvaluationQuestion, 'question_id' | 'image'>;
  /** What no training sample may have (see `src/generation/leaks.ts`). */
  content(question: Q): QuestionContent;
  /**
   * The question, and its choices in the order of `AnsweredQuestion.choice`: the one that a written answer means is
   * looked for among them. Absent where what the model wrote is scored as it is.
   */
  writtenChoices?(question: Q): { question: string; choices: readonly LetteredChoice[] };
  /** The written answer where the teacher is to judge it. */
  toJudge?(answered: AnsweredQuestion<Q>): AnswerToJudge | undefined;
  score(answered: readonly AnsweredQuestion<Q>[]): Measures;
  /** Figures that follow from the measures' means, by their names. */
  combine?(means: MeasureMeans): Record<string, CombinedScore>;
  /**
   * Writes the answers in formats that others expect, such as a leaderboard's submission.
   *
   * @returns the files' names, relative to the folder
   */
  write?(answered: readonly AnsweredQuestion<Q>[], folder: string): Promise<string[]>;
  /** The answers as the steps of a round read them, where rounds may be judged by its questions and `write` does not. */
  records?(answered: readonly AnsweredQuestion<Q>[]): EvaluatedQuestion[];
}

/**
 * The folder of the images of a benchmark whose file does not hold them.
 *
 * @throws InputError when none is named
 */
export function requireImageFolder({ file, images }: Pick<BenchmarkSource, 'file' | 'images'>): string {
  if (images !== undefined) return images;
  throw new InputError({ file, problem: 'does not hold its images', remedy: 'Name their folder (`images`)' });
}

/** The accuracy of all questions of a file first, then that of its parts. A part of that name gives way: metrics have it too. */
export function withAccuracyOfAll(accuracy: QuestionScore[], { accuracy: _, ...parts }: Measures): Measures {
  return { accuracy, ...parts };
}
