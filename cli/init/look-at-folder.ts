/** What a folder of images and questions has, found by looking at its files. */
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { fileExists } from '../../src/core/files.ts';
import { imageFileName } from '../../src/core/images/image-id.ts';
import { InputError } from '../../src/core/input-error.ts';
import { filesBelow } from '../../src/datasets/files-below.ts';
import { type OwnQuestion, readQuestionRows } from '../../src/datasets/own-questions.ts';
import type { SideName } from '../../src/datasets/split/split-manifest.ts';

const tableFileName = /\.(?:jsonl?|csv|tsv|parquet|tar)$/i;
/** The same in words. */
export const tableKinds = '.json, .jsonl, .csv, .tsv, .parquet or .tar';
/** Folders of runs and splits are no data. */
const otherFolder = /^(?:node_modules|runs|dataengine-split)$/;
const mostFolders = 20_000;

export interface FolderContent {
  /** Paths within the folder, with forward slashes. */
  images: string[];
  tables: string[];
}

/** The images and tables below a folder. @throws InputError for one that can't be listed, or has no images */
export async function listFolder(folder: string): Promise<FolderContent> {
  const paths = await filesBelow(folder, {
    isWanted: (name) => imageFileName.test(name) || tableFileName.test(name),
    isOther: (name) => otherFolder.test(name),
    mostFolders,
  });
  paths.sort((left, right) => (left < right ? -1 : 1));
  const images = paths.filter((path) => imageFileName.test(path));
  if (images.length > 0) return { images, tables: paths.filter((path) => tableFileName.test(path)) };
  throw new InputError({
    file: folder,
    problem: 'has no images (JPEG, PNG, GIF, WebP, TIFF)',
    remedy: 'Name the folder that has them',
  });
}

/** The folder that all images are below; '' for the folder itself. */
export function imageFolder(images: readonly string[]): string {
  const parts = images.map((path) => dirname(path).split('/'));
  const [first = []] = parts;
  const length = first.findIndex((part, index) => part === '.' || parts.some((other) => other[index] !== part));
  return (length < 0 ? first : first.slice(0, length)).join('/');
}

/** The side that a file's name tells. */
export function sideOf(file: string): SideName | undefined {
  const name = basename(file, extname(file)).toLowerCase();
  if (/(?:^|[^a-z])train(?:ing)?(?:$|[^a-z])/.test(name)) return 'train';
  if (/(?:^|[^a-z])(?:val|valid|validation|dev)(?:$|[^a-z])/.test(name)) return 'validation';
  return /(?:^|[^a-z])test(?:$|[^a-z])/.test(name) ? 'test' : undefined;
}

/** What the questions of a file are like. */
export interface QuestionFacts {
  questions: number;
  withChoices: number;
  fewestChoices: number;
  mostChoices: number;
  shortAnswers: number;
  /** Whether every short answer is a number. */
  areNumbers: boolean;
  types: number;
  /** Different texts of questions. */
  texts: number;
  samples: OwnQuestion[];
}

/** Reads all questions of a file. @throws InputError naming the row and column of what does not fit */
export async function questionFacts(file: string, skipInvalid: boolean): Promise<QuestionFacts> {
  const facts: QuestionFacts = {
    questions: 0,
    withChoices: 0,
    fewestChoices: Number.POSITIVE_INFINITY,
    mostChoices: 0,
    shortAnswers: 0,
    areNumbers: true,
    types: 0,
    texts: 0,
    samples: [],
  };
  const [types, texts] = [new Set<string>(), new Set<string>()];
  for await (const question of readQuestionRows({ file, skipInvalid })) {
    facts.questions += 1;
    texts.add(question.question);
    if (question.type !== undefined) types.add(question.type);
    if (question.choices === undefined) {
      facts.shortAnswers += 1;
      facts.areNumbers &&= (question.answers ?? []).every((answer) => Number.isFinite(Number(answer)));
    } else {
      facts.withChoices += 1;
      facts.fewestChoices = Math.min(facts.fewestChoices, question.choices.length);
      facts.mostChoices = Math.max(facts.mostChoices, question.choices.length);
    }
    if (isNewKind(facts.samples, question)) facts.samples.push(question);
  }
  return { ...facts, types: types.size, texts: texts.size };
}

const shownSamples = 3;

/** The first three, one of each kind among them where there are both. */
function isNewKind(samples: readonly OwnQuestion[], { choices }: OwnQuestion): boolean {
  if (samples.length >= shownSamples) return false;
  const isLast = samples.length === shownSamples - 1;
  const isAlike = samples.every((sample) => (sample.choices === undefined) === (choices === undefined));
  return !isLast || !isAlike;
}

/**
 * The folder that the images of questions are in: their paths may start at the folder of images, or above it.
 *
 * @param candidates folders
 * @throws InputError when the images are in none of them
 */
export async function folderOfImages(
  file: string,
  samples: readonly OwnQuestion[],
  candidates: readonly string[],
): Promise<string> {
  const paths = samples.flatMap(({ image }) => ('path' in image ? image.path : []));
  let missing = paths[0];
  for (const candidate of candidates) {
    const found = await Promise.all(paths.map((path) => fileExists(join(candidate, path))));
    if (found.every(Boolean)) return candidate;
    if (found.some(Boolean)) missing = paths[found.indexOf(false)];
  }
  const hint = missing?.includes('\\') ? '; it has backslashes, and paths are written with /' : '';
  throw new InputError({
    file,
    field: 'image',
    problem: `names '${missing}', which is not in ${[...new Set(candidates.map((one) => one || '.'))].join(', nor in ')}${hint}`,
    remedy: 'Correct it, or name the folder that these paths start in: --images',
  });
}

/** A path as a config has it: with forward slashes, from the data root. */
export function pathFrom(root: string, path: string): string {
  return relative(root, resolve(path)).split(sep).join('/');
}
