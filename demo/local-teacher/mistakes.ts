import type { SeededRandom } from '../../src/core/seeded-random.ts';
import { type AnswerParts, joinParts, type TeacherQuestion, writeParts } from './answer-format.ts';

/** What goes wrong with a teacher now and then. A wrong letter is the one that no filter can find. */
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
