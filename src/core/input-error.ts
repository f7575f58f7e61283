/** Where and what is wrong with something that a person gave. */
export interface InputProblem {
  /** The file as the person named it. */
  file: string;
  /** The path to the value, such as `finetune.lora.rank` or `[12].correct_choice_idx`. */
  field?: string;
  /** Counted from 1. */
  line?: number;
  /** Counted from 1; said only together with a line. */
  column?: number;
  /** What is wrong, without a full stop. */
  problem: string;
  /** What to do about it. */
  remedy: string;
}

/**
 * A person's input is wrong: a config, a dataset, a checkpoint. Trying again can't help, so it is never
 * retried. The message reads `file:line: field: problem. remedy`.
 */
export class InputError extends Error {
  readonly file: string;
  readonly field: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly problem: string;
  readonly remedy: string;

  constructor(input: InputProblem, options?: { cause?: unknown }) {
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

function messageOf({ file, field, line, column, problem, remedy }: InputProblem): string {
  const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(':');
  const subject = field ? `${place}: ${field}` : place;
  return `${subject}: ${problem}. ${remedy}`;
}
