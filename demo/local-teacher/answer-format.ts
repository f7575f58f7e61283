import type { SeededRandom } from '../../src/core/seeded-random.ts';
import type { StructuredAnswer } from '../../src/generation/parse-answer.ts';

/** A question with its answer, before it is written down. */
export interface TeacherQuestion {
  question: string;
  choices: readonly string[];
  correctChoiceIndex: number;
  explanation: string;
}

/** The parts of an answer, each one line. */
export interface AnswerParts {
  question: string;
  choices: string;
  answer: string;
  explanation: string;
}

const letters = 'ABCDEFGH';

/** Writes the four parts in the form that the prompt requires. */
export function writeParts({ question, choices, correctChoiceIndex, explanation }: TeacherQuestion): AnswerParts {
  return {
    question: `Question: ${question}`,
    choices: `Choices: ${choices.map((choice, index) => `(${letters[index]}) ${choice}`).join(' ')}`,
    answer: `Answer: The answer is (${letters[correctChoiceIndex]}): ${choices[correctChoiceIndex]}.`,
    explanation: `Explanations: ${explanation}`,
  };
}

/** Writes a question with a short answer, as its prompt requires; the three parts, each one line. */
export function writeShort({ question, choices, correctChoiceIndex, explanation }: TeacherQuestion): string {
  const answer = choices[correctChoiceIndex];
  return `Question: ${question}\nAnswer: ${answer}\nExplanations: ${explanation}`;
}

/** The mistakes that a question with a short answer may have too. */
export const shortMistakeKinds = ['wrong_letter', 'coordinates', 'skip', 'description', 'nonsense'] as const;

/** A mistake of that kind in a short answer: the same as among choices, without them. */
export function shortAnswerWithMistake(kind: MistakeKind, question: TeacherQuestion, random: SeededRandom): string {
  const text = answerWithMistake(kind, question, random).replace(/^Choices: .*\n/m, '');
  return text.replace(/^Answer: The answer is \([A-Z]\): (.*)\.$/m, 'Answer: $1');
}

/** Joins the existing parts to one text. */
export function joinParts(parts: Partial<AnswerParts>): string {
  return [parts.question, parts.choices, parts.answer, parts.explanation]
    .filter((part) => part !== undefined)
    .join('\n');
}

/** An answer, and its kind. */
export interface LocalAnswer {
  text: string;
  kind:
    | 'question'
    | 'skip'
    | 'classification'
    | 'types'
    | 'letter'
    | 'score'
    | 'short'
    | 'diagnose'
    | 'revise'
    | 'facts'
    | 'refusal'
    | 'other'
    | MistakeKind;
}

/** Mistakes that teachers make now and then. A wrong letter is the one that no filter can find. */
export const mistakeKinds = [
  'wrong_letter',
  'missing_part',
  'five_choices',
  'coordinates',
  'skip',
  'description',
  'nonsense',
] as const;
export type MistakeKind = (typeof mistakeKinds)[number];

/** Writes an answer with a mistake in it. */
export function answerWithMistake(kind: MistakeKind, question: TeacherQuestion, random: SeededRandom): string {
  const { choices, correctChoiceIndex, explanation } = question;
  switch (kind) {
    case 'wrong_letter': {
      const others = choices.map((_, index) => index).filter((index) => index !== correctChoiceIndex);
      return joinParts(writeParts({ ...question, correctChoiceIndex: random.pick(others) }));
    }
    case 'missing_part': {
      const left = random.pick<keyof AnswerParts>(['question', 'choices', 'answer', 'explanation']);
      return joinParts({ ...writeParts(question), [left]: undefined });
    }
    case 'five_choices':
      return joinParts(writeParts({ ...question, choices: [...choices, 'none of these'] }));
    case 'coordinates':
      return joinParts(
        writeParts({ ...question, explanation: `${explanation} The coordinates of its bounding box show the same.` }),
      );
    case 'skip':
      return 'Skip: no good question of this type can be made about this picture.';
    case 'description':
      return joinParts(writeParts({ ...question, explanation: `According to the image description, ${explanation}` }));
    case 'nonsense':
      return random.shuffle(`${question.question} ${choices.join(' ')} ${explanation}`.split(' ')).join(' ');
  }
}

/**
 * The structured output of an answer: the same content in the fields of `StructuredAnswer`. An answer with a mistake in its
 * form can't be written so; its parts are left empty. A classification is JSON already; a choice (`verification.ts`) has
 * the reason and the letter.
 */
export function structuredContent({ text, kind }: LocalAnswer): string {
  if (kind === 'classification' || kind === 'types' || kind === 'facts') return text;
  if (kind === 'letter') {
    const [reason = '', last = ''] = text.split('\n');
    return JSON.stringify({ reason, answer: /\(([A-D])\)/.exec(last)?.[1] ?? 'none' });
  }
  if (kind === 'short') {
    const [reason = '', last = ''] = text.split('\n');
    return JSON.stringify({ reason, answer: last.replace('Answer: ', '') });
  }
  if (kind === 'score') {
    const [reason = '', last = ''] = text.split('\n');
    return JSON.stringify({ reason, score: last.replace('Score: ', '') });
  }
  const part = (heading: string) => new RegExp(`^${heading}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const choices = part('Choices')
    .split(/\s?\([A-Z]\) /)
    .slice(1);
  const letter = /\(([A-D])\)/.exec(part('Answer'))?.[1] as StructuredAnswer['answer'] | undefined;
  const answer: StructuredAnswer = {
    skip_reason: kind === 'skip' ? text.replace(/^Skip: /, '') : null,
    question: part('Question'),
    choices,
    answer: letter ?? 'A',
    explanation: part('Explanations'),
  };
  return JSON.stringify(answer);
}
