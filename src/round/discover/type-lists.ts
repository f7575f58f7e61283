/**
 * The lists of discovered question types, files of the run that a person may edit: `question-types/round-<k>.yaml` holds those
 * in use from round k on, `round-<k>.json` says what they were made from and who approved them.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Config } from '../../config/schema.ts';
import { fileExists } from '../../core/files.ts';
import { hashFile } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { readJson } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { writeFileAtomically, writeJson } from '../../core/write-file.ts';
import type { QuestionType } from '../../generation/question-type.ts';
import { readQuestionTypes } from '../../generation/question-types.ts';
import { columnTypesFile } from './column-types.ts';

/** A list that is in use from a round on. */
export interface TypeList {
  fromRound: number;
  file: string;
  types: QuestionType[];
}

/** Who says that a list may be used. `types`: instead of those in the file. */
export interface TypesApproval {
  /** policy: nobody has to. default: nobody did in time. */
  by: 'person' | 'policy' | 'default';
  types?: QuestionType[] | undefined;
  comment?: string | undefined;
}

const recordSchema = z.object({
  /** Of the proposal. */
  proposal: z.string(),
  /** Of the list as it was written: another one means that a person has edited it. */
  written: z.string(),
  approved: z.object({ by: z.enum(['person', 'policy', 'default']), comment: z.string().optional() }).optional(),
});

const folderOf = (run: RunDirectory) => join(run.root, 'question-types');
const recordFile = (run: RunDirectory, round: number) => join(folderOf(run), `round-${round}.json`);

export function typeListFile(run: RunDirectory, round: number): string {
  return join(folderOf(run), `round-${round}.yaml`);
}

/**
 * The approved lists up to a round, the oldest first.
 *
 * @throws InputError with the file and the field of a list that a person has edited wrongly
 */
export async function readTypeLists(run: RunDirectory, upTo: number): Promise<TypeList[]> {
  const names = await readdir(folderOf(run)).catch(() => []);
  const rounds = names
    .flatMap((name) => Number(/^round-(\d+)\.json$/.exec(name)?.[1] ?? Number.NaN))
    .filter((round) => round <= upTo)
    .sort((left, right) => left - right);
  const lists: TypeList[] = [];
  for (const fromRound of rounds) {
    if (!(await isApproved(run, fromRound))) continue;
    const file = typeListFile(run, fromRound);
    lists.push({ fromRound, file, types: await readQuestionTypes(file) });
  }
  return lists;
}

export async function isApproved(run: RunDirectory, round: number): Promise<boolean> {
  return (await readRecord(run, round))?.approved !== undefined;
}

/**
 * Writes a round's list for a person to edit. One that a person has edited stays; one from another proposal must be approved
 * anew.
 */
export async function offerTypeList(
  run: RunDirectory,
  round: number,
  { types, proposal }: { types: readonly QuestionType[]; proposal: string },
): Promise<void> {
  const file = typeListFile(run, round);
  const record = await readRecord(run, round);
  if (record !== undefined && (await fileExists(file))) {
    if (record.proposal === proposal || (await hashFile(file)) !== record.written) return;
  }
  await writeTypeList(file, round, types);
  await writeJson(recordFile(run, round), { proposal, written: await hashFile(file) });
}

/**
 * Records that a round's list may be used.
 *
 * @throws InputError when there is none, or what is in it is no list of types: nothing is recorded then
 */
export async function approveTypeList(
  run: RunDirectory,
  round: number,
  { by, types, comment }: TypesApproval,
): Promise<QuestionType[]> {
  const file = typeListFile(run, round);
  const record = await readRecord(run, round);
  if (record === undefined) {
    throw new InputError({
      file,
      problem: `round ${round} has proposed no question types`,
      remedy: 'Approve those of a round that has, or run `dataengine discover` first',
    });
  }
  if (types !== undefined) await writeTypeList(file, round, types);
  const approved = await readQuestionTypes(file);
  await writeJson(recordFile(run, round), { ...record, approved: { by, ...(comment !== undefined && { comment }) } });
  return approved;
}

/**
 * The list that a round's requests are made by: the config's, that of the questions' own types, or the newest discovered
 * before the round.
 *
 * @throws InputError when types are discovered, and none are approved yet
 */
export async function questionTypesFile(config: Config, run: RunDirectory, round: number): Promise<string> {
  const { source } = config.questionTypes;
  if (source === 'file') return config.data.questionTypes;
  if (source === 'column') return columnTypesFile(config, run);
  const newest = (await readTypeLists(run, round - 1)).at(-1);
  if (newest !== undefined) return newest.file;
  throw new InputError({
    file: folderOf(run),
    field: 'questionTypes.source',
    problem: 'the run has no approved question types yet',
    remedy: 'Let round 0 discover and approve them first (`dataengine discover`)',
  });
}

async function writeTypeList(file: string, round: number, types: readonly QuestionType[]): Promise<void> {
  const comment =
    `# The question types in use from round ${round} on. Names, titles and explanations may be changed, types added and\n` +
    '# removed; questions are then sorted anew. Questions that fit none are sorted into `other`.\n';
  await writeFileAtomically(file, comment + stringify(types, { lineWidth: 110 }));
}

async function readRecord(run: RunDirectory, round: number): Promise<z.output<typeof recordSchema> | undefined> {
  const file = recordFile(run, round);
  return (await fileExists(file)) ? readJson(file, recordSchema) : undefined;
}
