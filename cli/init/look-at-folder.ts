/** What a folder of images and questions has, found by looking at its files. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { fileExists } from '../../src/core/files.ts';
import { imageFileName } from '../../src/core/images/image-id.ts';
import { InputError } from '../../src/core/input-error.ts';
import { type OwnQuestion, readQuestionRows } from '../../src/datasets/own-questions.ts';
import type { SideName } from '../../src/datasets/split/split-manifest.ts';
import { tableRows } from '../../src/datasets/tables/index.ts';

const tableFileName = /\.(?:jsonl?|csv|tsv|parquet|tar)$/i;
/** Folders of runs, splits and caches are no data. */
const otherFolder = /^(?:\..*|node_modules|runs|dataengine-split)$/;
const mostFolders = 20_000;

export interface FolderContent {
  /** Paths within the folder, with forward slashes. */
  images: string[];
  tables: string[];
}

/** The images and tables below a folder. @throws InputError for a folder that is missing */
export async function listFolder(folder: string): Promise<FolderContent> {
  const content: FolderContent = { images: [], tables: [] };
  const open = [''];
  for (let count = 0; open.length > 0 && count < mostFolders; count += 1) {
    const inner = open.shift() as string;
    const entries = await readdir(join(folder, inner), { withFileTypes: true }).catch((cause: Error) => {
      throw new InputError({
        file: folder,
        problem: `can't be listed (${cause.message})`,
        remedy: 'Name a folder of images',
      });
    });
    for (const entry of entries.sort((left, right) => (left.name < right.name ? -1 : 1))) {
      const path = inner === '' ? entry.name : `${inner}/${entry.name}`;
      if (entry.isDirectory() && !otherFolder.test(entry.name)) open.push(path);
      if (entry.isFile() && imageFileName.test(entry.name)) content.images.push(path);
      if (entry.isFile() && tableFileName.test(entry.name)) content.tables.push(path);
    }
  }
  return content;
}

/** The folder that all images are below; '' for the folder itself. */
export function imageFolder(images: readonly string[]): string {
  const parts = images.map((path) => dirname(path).split('/'));
  const [first = []] = parts;
  const length = first.findIndex((part, index) => part === '.' || parts.some((other) => other[index] !== part));
  return (length < 0 ? first : first.slice(0, length)).join('/');
}

export type TableKind = 'questions' | 'conversations' | 'aokvqa';

/** What a table's first record is; undefined for anything else. */
export async function kindOfTable(file: string): Promise<TableKind | undefined> {
  try {
    for await (const { values } of tableRows(file)) {
      if (values.has('conversations') || values.has('messages')) return 'conversations';
      if (values.has('image_id') && values.has('question') && values.has('choices')) return 'aokvqa';
      return values.has('question') ? 'questions' : undefined;
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return undefined;
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
export async function questionFacts(file: string): Promise<QuestionFacts> {
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
  for await (const question of readQuestionRows({ file })) {
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
  for (const candidate of candidates) {
    const found = await Promise.all(paths.map((path) => fileExists(join(candidate, path))));
    if (found.every(Boolean)) return candidate;
  }
  throw new InputError({
    file,
    field: 'image',
    problem: `names '${paths[0]}', which is in none of ${candidates.join(', ')}`,
    remedy: 'Name the folder that these paths start in: --images',
  });
}

/** A path as a config has it: with forward slashes, from the data root. */
export function pathFrom(root: string, path: string): string {
  return relative(root, resolve(path)).split(sep).join('/');
}
