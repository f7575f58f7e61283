/** Wrong input, in words for a person. Workflows import this file, so it uses nothing of Node. */
import type { z } from 'zod';
import { describeIssue } from './describe-issue.ts';

/** What is wrong with a person's input, and where. */
export interface InputProblem {
  /** As the person named it. */
  file: string;
  /** The path to the value, such as `finetune.lora.rank` or `[12].correct_choice_idx`. */
  field?: string;
  /** Counted from 1. */
  line?: number;
  /** Counted from 1; shown only together with a line. */
  column?: number;
  /** What is wrong, without a full stop. */
  problem: string;
  /** What to do about it. */
  remedy: string;
}

/**
 * A person's input is wrong: a config, a dataset, a checkpoint. A retry can't help, so there is none. The message is
 * `file:line: field: problem. remedy`.
 */
export class InputError extends Error {
  readonly file: string;
  readonly field: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly problem: string;
  readonly remedy: string;

  constructor(given: InputProblem, options?: { cause?: unknown }) {
    const input = shortened(given);
    super(messageOf(input), options);
    this.name = 'InputError';
    this.file = input.file;
    this.field = input.field;
    this.line = input.line;
    this.column = input.column;
    this.problem = input.problem;
    this.remedy = input.remedy;
  }
}

/** Much of a file may stand where a name is expected, and messages get into histories and pages. */
function shortened(input: InputProblem): InputProblem {
  const { field, problem, remedy } = input;
  return { ...input, ...(field !== undefined && { field: cut(field) }), problem: cut(problem), remedy: cut(remedy) };
}

const longestPart = 1000;

/** A text of a message, of at most a thousand characters. */
export function cut(text: string): string {
  return text.length <= longestPart ? text : `${text.slice(0, longestPart)} …`;
}

function messageOf({ file, field, line, column, problem, remedy }: InputProblem): string {
  const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(':');
  const subject = field ? `${place}: ${field}` : place;
  return `${subject}: ${problem}. ${remedy}`;
}

/**
 * Writes a path to a value the way JavaScript would: `finetune.lora.rank`, `[12].correct_choice_idx`,
 * `weights["object counting"]`. The root is the empty string.
 */
export function fieldPath(keys: readonly PropertyKey[]): string {
  return keys
    .map((key, position) => {
      if (typeof key === 'number') return `[${key}]`;
      const name = String(key);
      if (!/^[A-Za-z_$][\w$-]*$/.test(name)) return `[${JSON.stringify(name)}]`;
      return position === 0 ? name : `.${name}`;
    })
    .join('');
}

/** The first problem that a schema found, in words for a person, and where it is. */
export function describeFirstIssue(error: z.ZodError): { field: string; problem: string } {
  const [first, ...others] = error.issues;
  if (!first) return { field: '', problem: 'does not have the expected shape' };
  const { path, problem } = describeIssue(first);
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  return { field: fieldPath(path), problem: `${problem}${more}` };
}

/** The error of a value of the config. @param field such as `teacher.model` */
export function configError(field: string, problem: string, remedy: string): InputError {
  return new InputError({ file: 'config', field, problem, remedy });
}
