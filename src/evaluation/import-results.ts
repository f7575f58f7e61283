/**
 * Results of other programs, question by question: lmms-eval's samples (`--log_samples`, `<date>_samples_<task>.jsonl`) and
 * VLMEvalKit's detailed results (`.xlsx`, `.tsv`, `.csv` or `.json` with a column `hit`, `score` or `eval_score`).
 */
import { basename } from 'node:path';
import { z } from 'zod';
import { InputError } from '../core/input-error.ts';
import { emptyRecord } from '../core/records.ts';
import { formatOf, rowError, type TableRow, tableRows } from '../datasets/tables/index.ts';
import { rowsOfJsonLines } from '../datasets/tables/json-lines.ts';
import type { Measures } from './benchmarks/benchmark.ts';
import { isGivenMmmuAnswer } from './benchmarks/mmmu-answers.ts';
import { setNameOf } from './evaluation-files.ts';
import { readPythonList } from './python-text.ts';

export interface ImportedResults {
  program: 'lmms-eval' | 'VLMEvalKit';
  /** The task or data set, by the name of the file. */
  set: string;
  measures: Measures;
  /** Question id → what the model wrote. */
  texts: Map<string, string>;
  /** Question id → how else the file names it, and what the model was asked where the file says so. */
  asked: Map<string, { names: Readonly<Record<string, string>>; question?: string }>;
}

/**
 * Reads the scores of each question as the program gave them; nothing is scored again.
 *
 * @throws InputError naming the record and field that does not fit, or for a file of neither program
 */
export async function readResults(file: string): Promise<ImportedResults> {
  let program: ImportedResults['program'] | undefined;
  const measures: Measures = emptyRecord();
  const texts = new Map<string, string>();
  const asked: ImportedResults['asked'] = new Map();
  for await (const row of rowsOf(file)) {
    program ??= programOf(file, row);
    const { id, scores, groups, text, names, question } =
      program === 'lmms-eval' ? sampleOf(file, row) : resultOf(file, row);
    if (texts.has(id)) throw rowError(file, row, program === 'lmms-eval' ? 'doc_id' : 'index', `${id} is there twice`);
    texts.set(id, text);
    asked.set(id, { names, ...(question !== undefined && { question }) });
    for (const [measure, score] of Object.entries(scores)) {
      measures[measure] ??= [];
      measures[measure].push({ id, score, ...(Object.keys(groups).length > 0 && { groups }) });
    }
  }
  if (program !== undefined && Object.keys(measures).length > 0) {
    return { program, set: setOf(basename(file)), measures, texts, asked };
  }
  const problem = program === undefined ? 'has no results' : 'has no score of a question, 0 to 1';
  throw new InputError({ file, problem, remedy: 'Name a file of results by question' });
}

async function* rowsOf(file: string): AsyncGenerator<TableRow> {
  if (/\.xls$/i.test(file)) {
    const remedy = 'Have VLMEvalKit write XLSX or TSV (PRED_FORMAT=tsv), or save the sheet as CSV';
    throw new InputError({ file, problem: 'is an Excel file of the old format, which is not read', remedy });
  }
  if (/\.xlsx$/i.test(file)) {
    yield* (await import('../datasets/tables/excel.ts')).rowsOfExcel(file);
    return;
  }
  const format = await formatOf(file);
  yield* format === 'jsonl' ? rowsOfJsonLines(file, { isFromPython: true }) : tableRows(file, format);
}

function programOf(file: string, row: TableRow): ImportedResults['program'] {
  if (row.values.has('doc_id') && row.values.has('filtered_resps')) return 'lmms-eval';
  if (row.values.has('index') && scoreColumns.some((column) => row.values.has(column))) return 'VLMEvalKit';
  const problem = `has neither lmms-eval's fields (doc_id, filtered_resps) nor VLMEvalKit's (index, ${scoreColumns.join(' or ')})`;
  throw new InputError({ file, problem, remedy: 'Name a file that one of them wrote' });
}

/** `20261129_101500_samples_pope.jsonl` is of `pope`. */
function setOf(name: string): string {
  return setNameOf(/_samples_(.+)\.jsonl?$/.exec(name)?.[1] ?? name.replace(/\.[^.]+$/, ''), 'imported');
}

interface Result {
  id: string;
  scores: Record<string, number>;
  groups: Record<string, string>;
  text: string;
  /** Column → the question's name in it. */
  names: Record<string, string>;
  /** With the words around it, where the program keeps them. */
  question?: string | undefined;
}

const share = z.union([z.number(), z.boolean()]).transform(Number).pipe(z.number().min(0).max(1));
const groupFields = ['split', 'l2-category', 'l2_category', 'category', 'subdomain'] as const;

/** What a record of lmms-eval has beside its metrics. */
const notMetrics = new Set([
  ...['doc_id', 'doc', 'target', 'arguments', 'input', 'input_media', 'resps', 'filtered_resps', 'token_counts'],
  ...['doc_hash', 'prompt_hash', 'target_hash', 'submission'],
]);

/** A metric is a number, or an object whose `score` is one, with what it is grouped by. */
function sampleOf(file: string, row: TableRow): Result {
  const id = z.int().nonnegative().safeParse(row.values.get('doc_id'));
  if (!id.success) throw rowError(file, row, 'doc_id', 'must be a whole number');
  const scores: Record<string, number> = emptyRecord();
  const groups: Record<string, string> = {};
  const doc = row.values.get('doc');
  const names = typeof doc === 'object' && doc !== null ? namesIn(new Map(Object.entries(doc))) : {};
  for (const [metric, value] of row.values) {
    if (notMetrics.has(metric)) continue;
    const isObject = typeof value === 'object' && value !== null;
    const score = share.safeParse(isObject && 'score' in value ? value.score : (mmmuScore(value) ?? value));
    if (score.success) scores[metric] = score.data;
    if (!isObject) continue;
    const fields = new Map<string, unknown>(Object.entries(value));
    Object.assign(groups, groupsIn(fields));
    Object.assign(names, namesIn(fields));
  }
  const text = firstText(row.values.get('resps')) ?? firstText(row.values.get('filtered_resps')) ?? '';
  return { id: String(id.data), scores, groups, text, names, question: firstText(row.values.get('input')) };
}

/** The ids of a task's own. */
function namesIn(fields: ReadonlyMap<string, unknown>): Record<string, string> {
  const ids = ['question_id', 'id', 'index'].flatMap((field) => {
    const { success, data } = z.union([z.string().min(1), z.number()]).safeParse(fields.get(field));
    return success ? [[field, String(data)]] : [];
  });
  return Object.fromEntries(ids);
}

const mmmuAnswer = z.union([z.string(), z.number()]);
const mmmuSchema = z.looseObject({
  question_type: z.string(),
  answer: z.union([z.string(), z.array(z.string())]),
  /** One a response: a letter, or all that an open answer may mean. */
  parsed_pred: z.array(z.union([mmmuAnswer, z.array(mmmuAnswer)])),
});

/** MMMU's samples have what was read of the answer; lmms-eval compares it only when it adds up (`evaluate_mmmu`). */
function mmmuScore(value: unknown): number | undefined {
  const { success, data } = mmmuSchema.safeParse(value);
  if (!success) return undefined;
  const { question_type: type, answer, parsed_pred: parsed } = data;
  const right = [answer].flat();
  const isRight = (one: (typeof parsed)[number]) =>
    type === 'multiple-choice' ? right.some((letter) => letter === one) : isGivenMmmuAnswer([one].flat(), right);
  return parsed.some(isRight) ? 1 : 0;
}

function firstText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? firstText(value[0]) : undefined;
}

const scoreColumns = ['hit', 'score', 'eval_score'] as const;
const truth: Readonly<Record<string, number>> = { true: 1, false: 0 };

function resultOf(file: string, row: TableRow): Result {
  const index = z.union([z.string().min(1), z.number()]).safeParse(row.values.get('index'));
  if (!index.success) throw rowError(file, row, 'index', 'is missing');
  const column = scoreColumns.find((name) => row.values.has(name)) ?? 'hit';
  const written = column === 'eval_score' ? shortAnswerScore(file, row) : numberIn(row.values.get(column));
  const score = share.safeParse(written);
  if (!score.success) throw rowError(file, row, column, 'must be a score of 0 to 1');
  const text = row.values.get('prediction');
  const id = String(index.data);
  const question = row.values.get('question');
  const known = {
    ...{ id, scores: { [column]: score.data }, groups: groupsIn(row.values), names: { index: id } },
    question: typeof question === 'string' ? question : undefined,
  };
  return { ...known, text: text === undefined || text === null ? '' : String(text) };
}

/** A number or a truth value, also as a text. */
function numberIn(cell: unknown): unknown {
  if (typeof cell !== 'string') return typeof cell === 'boolean' ? Number(cell) : cell;
  return truth[cell.toLowerCase()] ?? Number(cell.trim() || Number.NaN);
}

const matchesSchema = z.array(z.number()).min(1);
/** Answers that are less like every reference than this count as wrong (ANLS). */
const LEAST_CLOSENESS = 0.5;

/**
 * What VLMEvalKit adds up of a short answer (`hit_calculate` of `vlmeval/dataset/utils/vqa_eval.py`), by the data set in the
 * file's name. `eval_score` is always the mean over the references; of documents it is a mean of distances, 0 for the same words.
 */
function shortAnswerScore(file: string, row: TableRow): unknown {
  const isDistance = /DocVQA|InfoVQA/i.test(basename(file));
  const isBest = /ChartQA|OCRVQA/i.test(basename(file)) && row.values.has('eval_match');
  if (!isDistance && !isBest) return numberIn(row.values.get('eval_score'));
  const cell = row.values.get('eval_match');
  const items = typeof cell === 'string' ? readPythonList(cell) : cell;
  const { success, data } = matchesSchema.safeParse(Array.isArray(items) ? items.map(numberIn) : items);
  if (!success) throw rowError(file, row, 'eval_match', 'must be a list of numbers, one a reference');
  if (!isDistance) return Math.max(...data);
  const closeness = 1 - Math.min(...data);
  return closeness < LEAST_CLOSENESS ? 0 : closeness;
}

function groupsIn(values: ReadonlyMap<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    groupFields.flatMap((field) => {
      const group = values.get(field);
      return typeof group === 'string' && group !== '' ? [[field, group]] : [];
    }),
  );
}
