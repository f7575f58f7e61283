/**
 * JSON by its fields, as Donut counts them (`JSONParseEvaluator` of `donut/util.py`, https://github.com/clovaai/donut): a field
 * is the path of its keys with its value as a text. Lists have no order, and what is empty, false or 0 does not count, but for a
 * 0 in a list. Here for one answer, where Donut sums over all. A number is the same however it is written: `1.0` is `1`.
 */
import { withoutFence } from '../../teacher/answer-text.ts';

/** What a field has to be like to be right. */
export const fieldKinds = ['text', 'number'] as const;
export type FieldKind = (typeof fieldKinds)[number];

/** Path of keys, such as `items.price` → its kind. */
export type JsonFields = Readonly<Record<string, FieldKind>>;

/** Reads a JSON object or list, in a code fence or not; undefined for any other text. */
export function readJsonValue(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(withoutFence(text));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * How far the fields of an answer are those of a reference: shares, 0 to 1. Without any field on both sides all are 1.
 *
 * @param fields those that count, and how; default: all of them, as texts
 */
export function compareFields(
  answer: object,
  reference: object,
  fields?: JsonFields,
): { f1: number; precision: number; recall: number } {
  const given = fieldsOf(answer, fields);
  const left = fieldsOf(reference, fields);
  const wanted = left.length;
  let found = 0;
  for (const field of given) {
    const place = left.indexOf(field);
    if (place < 0) continue;
    left.splice(place, 1);
    found += 1;
  }
  const share = (count: number, of: number) => (of === 0 ? Number(given.length + wanted === 0) : count / of);
  return {
    f1: share(2 * found, given.length + wanted),
    precision: share(found, given.length),
    recall: share(found, wanted),
  };
}

function fieldsOf(value: object, fields: JsonFields | undefined): string[] {
  const known = fields === undefined ? undefined : new Map(Object.entries(fields));
  return flatten(value).flatMap(([path, text]) => {
    if (known === undefined) return [JSON.stringify([path, text])];
    const kind = known.get(path);
    return kind === undefined ? [] : [JSON.stringify([path, kind === 'number' ? numberText(text) : text])];
  });
}

type Field = readonly [path: string, text: string];

function flatten(value: unknown, path = ''): Field[] {
  if (Array.isArray(value)) {
    if (value.every(isObject)) return value.flatMap((item) => flatten(item, path));
    const isText = (item: unknown) => typeof item === 'string' && item.trim() !== '';
    return value.flatMap((item) => (typeof item === 'number' || isText(item) ? fieldOf(path, item) : []));
  }
  if (isObject(value)) {
    return Object.entries(value).flatMap(([key, item]) => flatten(item, path === '' ? key : `${path}.${key}`));
  }
  return value === 0 || value === '' || value === false || value === null ? [] : fieldOf(path, value);
}

function fieldOf(path: string, value: unknown): Field[] {
  const text = value === true ? 'True' : String(value).trim();
  return [[path, text]];
}

const mostOfANumber = 100;

/** The same text for the same number; any other text stays. */
function numberText(text: string): string {
  if (text.length > mostOfANumber) return text;
  const number = Number(text.replace(/^[^\d+-]+|[^\d.]+$/g, '').replaceAll(',', ''));
  return text === '' || Number.isNaN(number) ? text : String(number);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
