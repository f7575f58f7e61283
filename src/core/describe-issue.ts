/**
 * What a schema found, in words for a person: zod's own messages are for programmers. Workflows import this file, so it uses
 * nothing of Node.
 */
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** A problem, and the path to the value that has it. */
export interface DescribedIssue {
  path: PropertyKey[];
  /** Without a full stop. */
  problem: string;
}

/** A message of a schema's own stays as it is. Of a union, the kind that the value was meant to be says what is wrong. */
export function describeIssue(issue: Issue): DescribedIssue {
  // The schema of a key, or of an element, has words of its own.
  const inner = issue.code === 'invalid_key' || issue.code === 'invalid_element' ? issue.issues[0] : undefined;
  if (inner !== undefined) return { path: issue.path, problem: describeIssue(inner).problem };
  if (issue.code === 'invalid_union' && isOwnMessage(issue)) return describeUnion(issue);
  const problem = isOwnMessage(issue) ? inWords(issue) : issue.message;
  return { path: issue.path, problem: problem.replace(/\.$/, '') };
}

/** Whether zod wrote the message (`node_modules/zod/v4/locales/en.js`). */
function isOwnMessage({ message }: Issue): boolean {
  return /^(?:Invalid |Too (?:small|big): expected |Unrecognized keys?: )/.test(message);
}

function inWords(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return ofType(issue.expected, / received (\S+)$/.exec(issue.message)?.[1]);
    case 'invalid_value':
      return `must be ${oneOf(issue.values.map((value) => (value === null ? 'null' : String(value))))}`;
    case 'too_small':
      return tooSmall(issue);
    case 'too_big':
      return tooBig(issue);
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return ofFormat(issue);
    case 'unrecognized_keys':
      return unknownKeys(issue.keys);
    default:
      return 'does not fit';
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  set: 'a list',
  object: 'an object',
  record: 'an object',
  map: 'an object',
  nan: 'NaN',
};

function ofType(expected: string, received: string | undefined): string {
  if (received === 'undefined') return 'is missing';
  const kind = typeNames[expected] ?? expected;
  if (received === 'null') return `has no value, and must be ${kind}`;
  const given = received === undefined ? undefined : (typeNames[received] ?? received);
  // Of a number that is not whole, and the like.
  if (given === undefined || given === kind || (expected === 'int' && received === 'number')) return `must be ${kind}`;
  return `must be ${kind}, not ${given}`;
}

function tooSmall({ origin, minimum, inclusive, exact }: z.core.$ZodIssueTooSmall): string {
  if (exact) return `must have exactly ${counted(minimum, origin)}`;
  if (!isSized(origin)) return inclusive ? `must be at least ${minimum}` : `must be more than ${minimum}`;
  const least = inclusive === false ? Number(minimum) + 1 : minimum;
  return Number(least) === 1 ? 'is empty' : `must have at least ${counted(least, origin)}`;
}

function tooBig({ origin, maximum, inclusive, exact }: z.core.$ZodIssueTooBig): string {
  if (exact) return `must have exactly ${counted(maximum, origin)}`;
  if (isSized(origin)) {
    return `must have at most ${counted(inclusive === false ? Number(maximum) - 1 : maximum, origin)}`;
  }
  return inclusive ? `must be at most ${maximum}` : `must be less than ${maximum}`;
}

const units: Readonly<Record<string, string>> = { string: 'character', file: 'byte', array: 'entry', set: 'entry' };

function isSized(origin: string): boolean {
  return origin in units || origin === 'map' || origin === 'object';
}

function counted(count: number | bigint, origin: string): string {
  const unit = units[origin] ?? 'key';
  return `${count} ${Number(count) === 1 ? unit : unit === 'entry' ? 'entries' : `${unit}s`}`;
}

function ofFormat(issue: z.core.$ZodIssueInvalidStringFormat): string {
  if (issue.format === 'url') return 'is not a URL';
  // Such as `Invalid string: must start with "a"`.
  if (issue.message.startsWith('Invalid string: ')) return issue.message.slice('Invalid string: '.length);
  return `is not a valid ${issue.message.slice('Invalid '.length)}`;
}

const mostKeys = 3;

function unknownKeys(keys: readonly string[]): string {
  const some = keys.slice(0, mostKeys).map((key) => JSON.stringify(key.slice(0, 100)));
  const more = keys.length > mostKeys ? ` and ${keys.length - mostKeys} more` : '';
  return `has ${keys.length === 1 ? 'an unknown key' : 'unknown keys'}: ${some.join(', ')}${more}`;
}

/** The kinds that the value could be and is not; or what is wrong inside the one that it was meant to be. */
function describeUnion(issue: z.core.$ZodIssueInvalidUnion): DescribedIssue {
  if (issue.errors.length === 0 && 'options' in issue && Array.isArray(issue.options)) {
    return { path: issue.path, problem: `must be ${oneOf(issue.options.map(String))}` };
  }
  const firsts = issue.errors.flatMap(([first]) => (first === undefined ? [] : describeIssue(first)));
  const meant = issue.errors.filter(([first]) => !isOtherKind(first)).flatMap(([first]) => first ?? []);
  const [only] = meant;
  if (only !== undefined && meant.length === 1) {
    const { path, problem } = describeIssue(only);
    return { path: [...issue.path, ...path], problem };
  }
  const deep = meant.map(describeIssue).sort((left, right) => right.path.length - left.path.length)[0];
  if (deep !== undefined && deep.path.length > 0) return { path: [...issue.path, ...deep.path], problem: deep.problem };
  const kinds = firsts.flatMap(
    ({ problem }) => /^(?:has no value, and )?must be (.+?)(?:, not .+)?$/.exec(problem)?.[1] ?? [],
  );
  const isMissing = firsts.some(({ problem }) => problem === 'is missing');
  const problem = isMissing
    ? 'is missing'
    : kinds.length === 0
      ? 'does not fit'
      : `must be ${oneOf([...new Set(kinds)])}`;
  return { path: issue.path, problem };
}

/** Whether a value is not even of the kind that the schema is for. */
function isOtherKind(issue: Issue | undefined): boolean {
  return issue === undefined || (issue.path.length === 0 && ['invalid_type', 'invalid_value'].includes(issue.code));
}

function oneOf(values: readonly string[]): string {
  const [last = '', ...others] = [...values].reverse();
  return others.length === 0 ? last : `${others.reverse().join(', ')} or ${last}`;
}
