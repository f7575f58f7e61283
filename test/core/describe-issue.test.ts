/** What is wrong with a value, in words that need no knowledge of the schema library. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeFirstIssue } from '../../src/core/input-error.ts';

const steps = z.union([z.int().positive(), z.literal('auto')]);
const list = z.object({ items: z.array(z.object({ name: z.string().min(1) })).min(1) });
const image = z.union([z.string(), z.object({ path: z.string(), size: z.number() })]);
const source = z.discriminatedUnion('source', [
  z.object({ source: z.literal('coco') }),
  z.object({ source: z.literal('facts'), file: z.string().min(1) }),
]);

test.each<[schema: z.ZodType, value: unknown, words: string]>([
  [z.string(), undefined, 'is missing'],
  [z.string(), null, 'has no value, and must be a text'],
  [z.number(), 'one', 'must be a number, not a text'],
  [z.number(), Number.NaN, 'must be a number, not NaN'],
  [z.int(), 1.5, 'must be a whole number'],
  [z.boolean(), 'on', 'must be true or false, not a text'],
  [z.array(z.string()), {}, 'must be a list, not an object'],
  [z.record(z.string(), z.unknown()), [], 'must be an object, not a list'],
  [z.tuple([z.number(), z.number()]), [1], 'must have at least 2 entries'],
  [z.number().positive(), 0, 'must be more than 0'],
  [z.number().min(1), 0, 'must be at least 1'],
  [z.number().lt(1), 1, 'must be less than 1'],
  [z.number().max(9), 10, 'must be at most 9'],
  [z.number().multipleOf(5), 7, 'must be a multiple of 5'],
  [z.string().min(1), '', 'is empty'],
  [z.string().min(2), 'a', 'must have at least 2 characters'],
  [z.string().max(1), 'ab', 'must have at most 1 character'],
  [z.array(z.string()).min(1), [], 'is empty'],
  [z.array(z.string()).max(2), ['a', 'b', 'c'], 'must have at most 2 entries'],
  [z.enum(['a', 'b', 'c']), 'd', 'must be a, b or c'],
  [z.literal('a'), 'b', 'must be a'],
  [z.url(), 'http://', 'is not a URL'],
  [z.string().regex(/^a+$/), 'b', 'must match pattern /^a+$/'],
  [z.string().startsWith('a'), 'b', 'must start with "a"'],
  [z.iso.datetime(), 'today', 'is not a valid ISO datetime'],
  [z.strictObject({ a: z.number().optional() }), { b: 1 }, 'has an unknown key: "b"'],
  [z.strictObject({}), { b: 1, c: 1, d: 1, e: 1 }, 'has unknown keys: "b", "c", "d" and 1 more'],
  [z.record(z.string().regex(/^a/, 'must start with a'), z.number()), { b: 1 }, 'b: must start with a'],
  [z.string().min(3, 'is too short for a name.'), 'ab', 'is too short for a name'],
  [z.unknown().refine(() => false), 1, 'does not fit'],
  [steps, 'sometimes', 'must be a number or auto'],
  [steps, -1, 'must be more than 0'],
  [steps, undefined, 'is missing'],
  [z.object({ steps }), { steps: null }, 'steps: must be a number or auto'],
  [list, { items: [{ name: 'a' }, { name: 5 }, {}] }, 'items[1].name: must be a text, not a number (and 1 more)'],
  [image, { path: 'a.png', size: '9' }, 'size: must be a number, not a text'],
  [image, 9, 'must be a text or an object'],
  [source, { source: 'picture' }, 'source: must be coco or facts'],
  [source, { source: 'facts', file: '' }, 'file: is empty'],
])('%#: a value that does not fit', (schema, value, words) => {
  const { error } = schema.safeParse(value);
  const { field, problem } = describeFirstIssue(error as z.ZodError);
  expect(field === '' ? problem : `${field}: ${problem}`).toBe(words);
  expect(problem).not.toMatch(/Invalid|expected|received|Too (?:big|small)/);
});
