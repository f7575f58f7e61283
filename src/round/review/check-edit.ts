import { InputError } from '../../core/input-error.ts';
import type { EngineSample } from '../../datasets/engine-data.ts';
import { answerLetters, isRejection, type Parsed, type Rejection } from '../../generation/filters.ts';
import { answerKeeper, engineSample } from '../../generation/refine.ts';
import { keepRules } from '../refine/keep-rules.ts';
import { lengthCheck } from '../refine/sample-length.ts';
import type { StepContext } from '../step-context.ts';
import type { SampleEdit } from './decisions.ts';

/** Why an edit is refused. */
export interface EditProblem {
  field: keyof SampleEdit;
  problem: string;
}

/** The sample that an edit makes, or why it makes none. `others` are the samples that it must differ from. */
export type EditCheck = (
  sample: EngineSample,
  edit: SampleEdit,
  others: readonly EngineSample[],
) => Promise<EngineSample | EditProblem>;

/** The parts of a sample as a person edits them. */
export function editOf(sample: EngineSample): SampleEdit {
  const { question, choices, correct_choice_idx: correct, direct_answers: [answer = ''] = [], rationales } = sample;
  const explanation = (rationales[0] ?? '').replace(explanationHeading, '');
  return correct === undefined
    ? { question, choices: [], answer, explanation }
    : { question, choices: [...choices], correct, explanation };
}

const explanationHeading = /^\s*[\p{L} ]{1,20}:\s*/u;

/** Makes the check that edited samples pass: that of the teacher's own answers, by the same parser and filters. */
export async function editCheck(context: StepContext): Promise<EditCheck> {
  const { refine } = context.config;
  const tooLong = await lengthCheck(context.config);
  const rules = await keepRules(context, [], tooLong);

  async function rejectionOf(
    sample: EngineSample,
    edit: SampleEdit,
    others: readonly EngineSample[],
  ): Promise<Rejection | Parsed> {
    const isShort = sample.correct_choice_idx === undefined;
    if (!isShort && edit.choices[edit.correct ?? -1] === undefined) {
      return { reason: 'answer_not_among_choices', detail: 'no choice is the right one' };
    }
    const compared = refine.maximumAlike === undefined ? others.filter(isAbout(sample)) : others;
    const keep = answerKeeper({ ...rules, earlierSamples: [...rules.earlierSamples, ...compared] });
    const raw_instructions = isShort ? asShortAnswer(edit) : asAnswer(edit);
    const kept = keep({ ...sample, request_id: 'edited', raw_instructions, short_answer: isShort || undefined });
    return isRejection(kept) ? kept : ((await tooLong(kept)) ?? kept);
  }

  return async (sample, edit, others) => {
    const made = await rejectionOf(sample, edit, others);
    if (!isRejection(made)) {
      const read = editOf(engineSample(sample, made, sample.instruction));
      const changed = fieldsOf(edit).find((field) => !isSame(read[field], edit[field]));
      if (changed === undefined) return engineSample(sample, made, sample.instruction);
      return { field: changed, problem: `would be read as ${JSON.stringify(read[changed])}` };
    }
    const before = editOf(sample);
    const edited = fieldsOf(edit).filter((field) => !isSame(edit[field], before[field]));
    let field = edited[0] ?? 'question';
    for (const candidate of edited) {
      const reverted = await rejectionOf(sample, { ...edit, [candidate]: before[candidate] }, others);
      if (isRejection(reverted)) continue;
      field = candidate;
      break;
    }
    return { field, problem: `${made.reason.replaceAll('_', ' ')} (${made.detail})` };
  };
}

const isAbout = (sample: EngineSample) => (other: EngineSample) => other.image_id === sample.image_id;

function fieldsOf(edit: SampleEdit): (keyof SampleEdit)[] {
  return Object.keys(edit) as (keyof SampleEdit)[];
}

/** Spaces at the ends do not matter, nor a period behind a choice. */
function isSame(left: SampleEdit[keyof SampleEdit], right: SampleEdit[keyof SampleEdit]): boolean {
  const plain = (value: unknown): string =>
    Array.isArray(value)
      ? JSON.stringify(value.map((choice: string) => choice.trim().replace(/\.$/, '')))
      : String(value).trim();
  return plain(left) === plain(right);
}

/** The lines that a teacher answers with. */
function asAnswer({ question, choices, correct = 0, explanation }: SampleEdit): string {
  return [
    `Question: ${question}`,
    `Choices: ${choices.map((choice, index) => `(${answerLetters[index] ?? '?'}) ${choice}`).join(' ')}`,
    `Answer: (${answerLetters[correct] ?? '?'}) ${choices[correct]}`,
    `Explanation: ${explanation}`,
  ].join('\n');
}

function asShortAnswer({ question, answer = '', explanation }: SampleEdit): string {
  return [`Question: ${question}`, `Answer: ${answer}`, `Explanation: ${explanation}`].join('\n');
}

/** @throws InputError for the edit of a decision that its sample, or another one, no longer allows */
export function refusedEdit(file: string, key: string, { field, problem }: EditProblem): InputError {
  return new InputError({
    file,
    field: `${key.slice(0, 12)}.${field}`,
    problem,
    remedy: 'Decide about this sample again: `dataengine data review`',
  });
}
