/**
 * The prompts that the model is trained on and asked with, as the reference system writes them.
 *
 * `###Human: <Img><ImageHere></Img> QUESTION\n(A) .. (B) .. (C) .. (D) ..\n###Assistant: ` is answered with
 * `The answer is (A) ANSWER.` (QMA), and the explanation after it (QMAE).
 */

/** Ends an answer. */
export const END_MARK = '###';

const LETTERS = 'ABCDEFGHIJ';

/** `(A)` for 0, `(B)` for 1, … */
export function choiceLetter(index: number): string {
  return `(${LETTERS[index]})`;
}

/** The choices on one line: `(A) a (B) b (C) c (D) d`. */
export function choiceLine(choices: readonly string[]): string {
  return choices.map((choice, index) => `${choiceLetter(index)} ${choice}`).join(' ');
}

/** What the person says, up to where the model begins to speak. */
export function humanTurn(question: string, choices: readonly string[] = []): string {
  const asked = choices.length === 0 ? question : `${question}\n${choiceLine(choices)}`;
  return `###Human: <Img><ImageHere></Img> ${asked}\n###Assistant: `;
}

/** The answer alone. */
export function answerQma(choices: readonly string[], correctChoiceIndex: number): string {
  return `The answer is ${choiceLetter(correctChoiceIndex)} ${choices[correctChoiceIndex]}.`;
}

/** The answer and its explanation: the longest of the rationales, none where there is none. */
export function answerQmae(
  choices: readonly string[],
  correctChoiceIndex: number,
  rationales: readonly string[],
): string {
  const longest = [...rationales].sort((a, b) => b.length - a.length)[0];
  const answer = answerQma(choices, correctChoiceIndex);
  return longest ? `${answer} ${longest}` : answer;
}

/** The request that a caption answers. */
export function captionTurn(): string {
  return humanTurn('Describe this image in detail.');
}
