/**
 * What a round's model is scored on: the validation questions, the test questions, and the benchmarks of the config.
 */
import { dirname, join, relative } from 'node:path';
import type { Config } from '../config/schema.ts';
import { hashValue } from '../core/hash.ts';
import { InputError } from '../core/input-error.ts';
import { joinInside } from '../core/inside.ts';
import { hashInputFile } from '../core/read-json.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import { hashTable } from '../datasets/tables/shards.ts';
import type { AnswerMode, BenchmarkQuestion, BenchmarkSource, PromptName } from '../evaluation/benchmarks/benchmark.ts';
import { type BenchmarkName, benchmarkOf } from '../evaluation/benchmarks/index.ts';
import type { EvaluationQuestion } from '../trainer/job-files.ts';
import { configuredSplits, imagesIn, type QuestionSet, questionSet } from './dataset-paths.ts';
import { extractedImagesName } from './store-rules.ts';

export interface EvaluationSet {
  /** Unique within the run: `validation`, `test`, or a benchmark's name. */
  name: string;
  benchmark: BenchmarkName;
  file: string;
  images?: string | undefined;
  /** Where the image of an id is, if not by the names in the folder. */
  imageFile?: BenchmarkSource['imageFile'];
  limit?: number | undefined;
  /** Without images. */
  blind: boolean;
  answerMode: AnswerMode;
  /** Default: training. */
  prompt?: PromptName;
  /** How questions of your own are read and scored. */
  questions?: BenchmarkSource['questions'];
  /** A round is judged by its answers. */
  answersRequired?: boolean;
}

/**
 * The sets of a config, `validation` first.
 *
 * @throws InputError when two have the same name
 */
export function evaluationSets(config: Config, run: RunDirectory): EvaluationSet[] {
  const splits = configuredSplits(config).length;
  const sets = configuredSets(config);
  for (const [index, { name }] of sets.entries()) {
    if (sets.findIndex((other) => other.name === name) === index) continue;
    throw new InputError({
      file: join(run.root, 'config.json'),
      field: `evaluate.benchmarks[${index - splits}].name`,
      problem: `'${name}' is also the name of another set`,
      remedy: 'Give each benchmark a name of its own (`name`)',
    });
  }
  return sets;
}

/** The sets of a config, `validation` first, before a check that their names differ. */
export function configuredSets(config: Config): EvaluationSet[] {
  const { root } = config.data;
  const splits = configuredSplits(config).map((name): EvaluationSet => {
    const { file, images, limit, questions } = questionSet(config, name) as QuestionSet;
    const isOwn = questions !== undefined;
    const answerMode = !isOwn && config.evaluate.directAnswers === 'generated' ? 'generated' : 'ranked';
    return {
      name,
      benchmark: isOwn ? 'questions' : 'aokvqa',
      file,
      images: images.path,
      imageFile: images.fileOf,
      limit,
      blind: false,
      answerMode,
      questions,
      answersRequired: true,
    };
  });
  const named = config.evaluate.benchmarks.map(
    ({ benchmark, name, file, images, limit, blind, answers, prompt, questions }): EvaluationSet => ({
      name: name ?? (blind ? `${benchmark}-blind` : benchmark),
      benchmark,
      file: joinInside(root, file),
      images: images === undefined ? undefined : joinInside(root, images),
      imageFile: images === undefined ? undefined : imagesIn(config, images).fileOf,
      limit,
      blind,
      answerMode: answers ?? benchmarkOf(benchmark).answerModes[0],
      prompt,
      questions,
    }),
  );
  return [...splits, ...named];
}

/** The set of a name. @throws InputError that lists the names of all sets */
export function requireEvaluationSet(config: Config, run: RunDirectory, name: string): EvaluationSet {
  const sets = evaluationSets(config, run);
  const set = sets.find((candidate) => candidate.name === name);
  if (set !== undefined) return set;
  throw new InputError({
    file: join(run.root, 'config.json'),
    field: 'evaluate.benchmarks',
    problem: `has no set '${name}'`,
    remedy: `Name one of ${sets.map((candidate) => candidate.name).join(', ')}`,
  });
}

/** Reads a set's questions. Images that its file contains are written into the folder, each once. */
export function readEvaluationSet(set: EvaluationSet, extractedImages: string): Promise<BenchmarkQuestion[]> {
  return benchmarkOf(set.benchmark).read({ ...set, extractedImages });
}

/**
 * Checks a set's file as reading it does, but writes no images: before a server or a model is asked, or a folder made.
 *
 * @throws InputError as the benchmark's `read` does
 */
export async function checkEvaluationSet(set: EvaluationSet): Promise<void> {
  const { check, read } = benchmarkOf(set.benchmark);
  // A benchmark without a check of its own holds no images in its file.
  await (check?.(set) ?? read({ ...set, extractedImages: '' }));
}

/**
 * SHA-256 of all that a set's questions and answers are read from.
 *
 * @throws InputError when a file is missing
 */
export async function hashQuestions({ benchmark, file }: Pick<EvaluationSet, 'benchmark' | 'file'>): Promise<string> {
  const { contentFiles } = benchmarkOf(benchmark);
  const files = (await contentFiles?.(file)) ?? [file];
  if (files.length === 1) return hashTable(files[0] as string);
  const hashes: [name: string, hash: string][] = [];
  for (const one of files) hashes.push([relative(dirname(file), one), await hashInputFile(one)]);
  return hashValue(hashes);
}

/** The folder for images that benchmark files contain. */
export function extractedImagesFolder(run: RunDirectory): string {
  return join(run.root, extractedImagesName);
}

/** The questions as they are put to the model; blind, without their images. */
export function askQuestions(set: EvaluationSet, questions: readonly BenchmarkQuestion[]): EvaluationQuestion[] {
  const benchmark = benchmarkOf(set.benchmark);
  return questions.map((question) => {
    const asked = { question_id: question.id, ...benchmark.ask(question, set.answerMode, set.prompt) };
    return set.blind ? asked : { ...asked, ...shownImages(question) };
  });
}

function shownImages({ image, laterImages }: BenchmarkQuestion): Pick<EvaluationQuestion, 'image' | 'laterImages'> {
  if (image === undefined) return {};
  return { image, ...(laterImages && { laterImages: [...laterImages] }) };
}

/** Hash of the questions as they are put to the model; the paths of images don't count. */
export function hashAsked(asked: readonly EvaluationQuestion[]): string {
  return hashValue(
    asked.map(({ image, laterImages, ...words }) => ({
      ...words,
      hasImage: image !== undefined,
      ...(laterImages && { laterImages: laterImages.length }),
    })),
  );
}
