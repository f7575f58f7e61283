/**
 * A question, its choices and its answer as texts: the reference system's, whatever model reads them. The words that a
 * model's family puts around a question are `src/model/families/<family>/prompt.ts`.
 */

/** What comes before the choice, in question and answer alike. */
export const ANSWER_START = 'The answer is';

/** Asks for a description: the first of MiniGPT-4's requests. */
export const captionRequest = 'Describe this image in detail.';

/** The letters of choices. */
export const LETTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'] as readonly string[];

/** The letter of a choice. @throws RangeError for a choice that has none */
export function letterOf(choice: number): string {
  const name = LETTERS[choice];
  if (name === undefined) throw new RangeError(`Choice ${choice} has no letter: there are ${LETTERS.length}`);
  return name;
}

/** `(A) cat`, as the choices are listed and as the answer repeats one. */
export function choiceText(choices: readonly string[], choice: number): string {
  return `(${letterOf(choice)}) ${choices[choice]}`;
}

/** A question and its choices, as they stand in a turn. A question without choices asks for a free answer. */
export function listedQuestion(question: string, choices: readonly string[] = []): string {
  const list = choices.map((_, index) => choiceText(choices, index)).join(' ');
  return `${question}\n${list === '' ? '' : `${list}\n`}`;
}

/** A question that asks for a short answer, with what says so. */
export function withInstruction(question: string, instruction: string | undefined): string {
  return instruction === undefined ? question : `${question}\n${instruction}`;
}

/** A question whose choices are ranked: as it is asked, what every answer starts with, and an answer for each choice. */
export function rankedQuestion(
  question: string,
  choices: readonly string[],
): { question: string; answerStart: string; answers: string[] } {
  return {
    question: listedQuestion(question, choices),
    answerStart: ANSWER_START,
    answers: choices.map((_, index) => answerStem(choices, index)),
  };
}

/** The answer as far as choices are ranked by it: `The answer is (A) cat`. */
export function answerStem(choices: readonly string[], choice: number): string {
  return `${ANSWER_START} ${choiceText(choices, choice)}`;
}

/** QMA: the answer alone. */
export function answerQma(choices: readonly string[], correct: number): string {
  return `${answerStem(choices, correct)}.`;
}

/**
 * QMAE: the answer, then the explanation, which is the longest rationale, the first of several. Its heading stays, such as
 * `Explanation:` in generated samples: the reference system trains with it.
 */
export function answerQmae(choices: readonly string[], correct: number, rationales: readonly string[]): string {
  const characters = (text: string) => [...text].length;
  const longest = rationales.reduce((best, text) => (characters(text) > characters(best) ? text : best), '');
  const answer = answerQma(choices, correct);
  return longest === '' ? answer : `${answer} ${longest}`;
}
