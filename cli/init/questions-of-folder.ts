/** Which files of a folder are questions, conversations or neither, and why. */
import { join, resolve } from 'node:path';
import { fileExists } from '../../src/core/files.ts';
import { InputError } from '../../src/core/input-error.ts';
import type { SideName } from '../../src/datasets/split/split-manifest.ts';
import { formatOf, tableRows } from '../../src/datasets/tables/index.ts';
import { sideOf, tableKinds } from './look-at-folder.ts';

export type TableKind = 'questions' | 'conversations' | 'aokvqa';

/** What a table's first record is, or why it can't be taken. */
export type TableLook = { kind: TableKind } | { problem: string };

export interface LookedAt {
  /** Below the folder. */
  path: string;
  look: TableLook;
}

export interface ChosenQuestions {
  /** To read it from here. */
  file: string;
  kind: 'questions' | 'aokvqa';
  /** Below the folder, by what their names tell; where the folder has files of training and validation. */
  sides?: Partial<Record<SideName, string>>;
}

const shownColumns = 8;
const shownTables = 5;

export async function lookAtTable(file: string): Promise<TableLook> {
  try {
    const format = await formatOf(file);
    for await (const { values } of tableRows(file, format)) {
      if (values.has('conversations') || values.has('messages')) return { kind: 'conversations' };
      // A-OKVQA's own files are JSON; a table with its columns is one of questions that lacks the image's path.
      const isAokvqa = format === 'json' && ['image_id', 'question', 'choices'].every((name) => values.has(name));
      if (isAokvqa) return { kind: 'aokvqa' };
      if (values.has('question')) return { kind: 'questions' };
      const columns = [...values.keys()].slice(0, shownColumns).map((name) => `'${name.slice(0, 40)}'`);
      const more = values.size > shownColumns ? ' and more' : '';
      return { problem: `has no 'question', but ${columns.join(', ')}${more}` };
    }
    return { problem: 'has no rows' };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const line = error.line === undefined ? '' : `line ${error.line}: `;
    return { problem: `${line}${error.field ? `${error.field}: ` : ''}${error.problem}` };
  }
}

/**
 * The file that is named, or else the only one of the folder, or its files of training and validation.
 *
 * @param ask for a file; undefined where nobody can be asked
 * @throws InputError for a file that has no questions with its reason; where none is named and the folder has none, or several
 */
export async function chooseQuestions(
  folder: string,
  tables: readonly LookedAt[],
  { named, ask }: { named: string | undefined; ask: (() => Promise<string>) | undefined },
): Promise<ChosenQuestions> {
  const found = tables.filter(({ look }) => isOfQuestions(look));
  const sides = Object.fromEntries(found.flatMap(({ path }) => (sideOf(path) ? [[sideOf(path), path]] : [])));
  const [only, ...others] = found;
  if (named === undefined && sides.train !== undefined && sides.validation !== undefined) {
    return { ...(await requireQuestions(join(folder, sides.train))), sides };
  }
  const proposed = others.length === 0 ? only?.path : undefined;
  const choice = named ?? proposed ?? (await ask?.());
  if (choice === undefined) throw undecided(folder, tables, found);
  return requireQuestions(await fileIn(folder, choice));
}

/** A path below the folder, where something is there; else one from the current folder. */
export async function fileIn(folder: string, path: string): Promise<string> {
  return (await fileExists(join(folder, path))) ? join(folder, path) : resolve(path);
}

async function requireQuestions(file: string): Promise<ChosenQuestions> {
  const look = await lookAtTable(file);
  if ('kind' in look && look.kind !== 'conversations') return { file, kind: look.kind };
  const problem = 'problem' in look ? look.problem : 'has conversations, which are trained on but not scored';
  throw new InputError({ file, problem, remedy: 'Name a file of questions with right answers: --questions' });
}

function isOfQuestions(look: TableLook): boolean {
  return 'kind' in look && look.kind !== 'conversations';
}

function undecided(folder: string, tables: readonly LookedAt[], found: readonly LookedAt[]): InputError {
  const remedy = 'Name a file of questions with right answers: --questions';
  if (found.length > 1) {
    const names = found.map(({ path }) => path).join(', ');
    const problem = `has ${found.length} files of questions (${names}), and not one of training and one of validation by their names`;
    return new InputError({ file: folder, problem, remedy });
  }
  const reasons = tables
    .slice(0, shownTables)
    .map(({ path, look }) => `${path} ${'problem' in look ? look.problem : 'has conversations, which are not scored'}`);
  const problem = `has no file of questions (${tableKinds})${reasons.length === 0 ? '' : `: ${reasons.join('; ')}${tables.length > shownTables ? '; and more' : ''}`}`;
  return new InputError({ file: folder, problem, remedy });
}
