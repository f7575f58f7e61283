/** The words that a sample is trained and scored with; they are MiniGPT-4's and the reference system's. */

/** Ends a turn; the model learns to write it. */
export const END_MARK = '###';

const LETTERS = ['A', 'B', 'C', 'D'] as const;

function letter(choice: number): string {
  const name = LETTERS[choice];
  if (name === undefined) throw new RangeError(`Choice ${choice} has no letter: there are ${LETTERS.length}`);
  return name;
}

/** `(A) cat`, as the choices are listed and as the answer repeats one. */
export function choiceText(choices: readonly string[], choice: number): string {
  return `(${letter(choice)}) ${choices[choice]}`;
}

/** What the model reads before it answers. A question without choices asks for a free answer. */
export function humanTurn(question: string, choices: readonly string[] = []): string {
  const list = choices.map((_, index) => choiceText(choices, index)).join(' ');
  return `###Human: <Img><ImageHere></Img> ${question}\n${list === '' ? '' : `${list}\n`}###Assistant: `;
}

/** What the model reads before it describes a picture; the default request is MiniGPT-4's first one. */
export function captionTurn(request = 'Describe this image in detail.'): string {
  return humanTurn(request);
}

/** QMA: the answer alone. */
export function answerQma(choices: readonly string[], correct: number): string {
  return `The answer is ${choiceText(choices, correct)}.`;
}

/** QMAE: the answer, then the explanation, which is the longest rationale. */
export function answerQmae(choices: readonly string[], correct: number, rationales: readonly string[]): string {
  const longest = rationales
    .map((rationale) => rationale.replace(/^Explanations?:\s*/i, '').trim())
    .reduce((best, rationale) => (rationale.length > best.length ? rationale : best), '');
  const answer = answerQma(choices, correct);
  return longest === '' ? answer : `${answer} ${longest}`;
}
