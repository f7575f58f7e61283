import { z } from 'zod';
import { InputError } from '../core/input-error.ts';
import { parseJson, readTextFile } from '../core/read-json.ts';

export const layoutName = { aokvqa: 'A-OKVQA', seedBench: 'SEED-Bench' } as const;

/** JSON files that people hand to the wrong reader, the more special first: by the fields of their first record. */
const layouts: readonly { name: string; fields: readonly string[]; dataTypes?: readonly string[] }[] = [
  { name: layoutName.seedBench, fields: ['choice_a', 'question_type_id'], dataTypes: ['image', 'video'] },
  { name: 'SEED-Bench 2 or a later one', fields: ['choice_a', 'data_id'] },
  { name: "the data engine's samples", fields: ['raw_instructions'] },
  { name: layoutName.aokvqa, fields: ['question_id', 'image_id', 'choices'] },
  { name: "LLaVA's training data", fields: ['conversations'] },
  { name: "LLaVA's questions", fields: ['question_id', 'image', 'text'] },
  { name: "COCO's annotations", fields: ['image_id', 'category_id'] },
  { name: "COCO's captions", fields: ['image_id', 'caption'] },
];

/** What a JSON file is the layout of, by its first record; undefined where it is none of the known ones. */
function layoutOf(value: unknown): string | undefined {
  const record = firstRecord(value);
  return layouts.find(
    ({ fields, dataTypes }) =>
      fields.every((field) => field in record) && (dataTypes?.includes(String(record.data_type)) ?? true),
  )?.name;
}

/** Of a list, or of the first list with a record that an object has. */
function firstRecord(value: unknown): Record<string, unknown> {
  const lists = Array.isArray(value) ? [value] : isObject(value) ? Object.values(value) : [];
  const first = lists.map((list) => (Array.isArray(list) ? list[0] : undefined)).find(isObject);
  return first ?? {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The layout of a file that is not one JSON value, by its first line. */
function layoutOfLines(text: string): string | undefined {
  const [head = '', ...rest] = text.split('\n', 2);
  if (/^"?index"?\t/.test(head)) return 'MMBench, in which VLMEvalKit has other benchmarks too (benchmark `mmbench`)';
  if (!head.startsWith('{') || rest.every((line) => line.trim() === '')) return undefined;
  try {
    return layoutOf([JSON.parse(head)]) ?? 'JSON lines';
  } catch {
    return undefined;
  }
}

function otherLayout(file: string, found: string, layout: string): InputError {
  const remedy = `Name a file of ${layout}, or the benchmark or data set that this one is of`;
  return new InputError({ file, problem: `has the layout of ${found}, not of ${layout}`, remedy });
}

/**
 * Reads a JSON file of one of the layouts, as `readJson` does. The error for a file with another known layout names that
 * layout.
 *
 * @param layout its name here
 * @throws InputError when the file is missing, is not JSON, has another layout, or does not fit the schema
 */
export async function readLayout<S extends z.ZodType>(file: string, layout: string, schema: S): Promise<z.output<S>> {
  const text = await readTextFile(file);
  const other = layoutOfLines(text);
  if (other !== undefined) throw otherLayout(file, other, layout);
  try {
    return parseJson(text, file, schema);
  } catch (error) {
    // What is not JSON fails here again, with the same error.
    const found = layoutOf(parseJson(text, file, z.unknown()));
    throw found === undefined || found === layout ? error : otherLayout(file, found, layout);
  }
}
