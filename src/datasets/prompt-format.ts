/** The words that a sample is trained and scored with; they are MiniGPT-4's and the reference system's. */

/** Ends a turn of MiniGPT-4; the model learns to write it. */
export const END_MARK = '###';

/** The words that a family of models puts around a question and its answer. */
export interface PromptForm {
  /** Stands in a prompt where the image's embeddings go. */
  imageMark: string;
  /** Ends the answer; the model learns to write it. */
  endMark: string;
  /** Between the prompt and the answer. */
  answerSeparator: string;
  /**
   * How a prompt becomes tokens, which differs for tokenizers that put a space before every text: what is before
   * and behind the image and the answer each for itself, or all as one text.
   */
  tokenized: 'apart' | 'together';
  /** A question about an image, up to where the answer begins. */
  turn(question: string): string;
  /** The same with no image, so that only the words can tell the answer. */
  turnWithoutImage(question: string): string;
}

/** What comes before the choice, in question and answer alike. */
export const ANSWER_START = 'The answer is';

export const promptForms = {
  /** MiniGPT-4's, as its `minigpt4/models/mini_gpt4.py` builds it. */
  minigpt4: {
    imageMark: '<ImageHere>',
    endMark: END_MARK,
    answerSeparator: '',
    tokenized: 'apart',
    turn: (question) => `###Human: <Img><ImageHere></Img> ${question}###Assistant: `,
    turnWithoutImage: (question) => `###Human: ${question}###Assistant: `,
  },
  /** LLaVA-1.5's, as the model card of its published checkpoints says, without a system message. */
  llava: {
    imageMark: '<image>',
    endMark: '</s>',
    answerSeparator: ' ',
    tokenized: 'together',
    turn: (question) => `USER: <image>\n${question.trimEnd()} ASSISTANT:`,
    turnWithoutImage: (question) => `USER: ${question.trimEnd()} ASSISTANT:`,
  },
} as const satisfies Record<string, PromptForm>;

/** The part of a form that a prompt is made with. */
export type TurnForm = Pick<PromptForm, 'turn'>;

/** No words around a question: for models whose own chat template puts them there. */
export const bareQuestions: TurnForm = { turn: (question) => question };

export type PromptFormName = keyof typeof promptForms;

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

/** A question and its choices, as they stand in a turn. */
export function listedQuestion(question: string, choices: readonly string[] = []): string {
  const list = choices.map((_, index) => choiceText(choices, index)).join(' ');
  return `${question}\n${list === '' ? '' : `${list}\n`}`;
}

/** What the model reads before it answers. A question without choices asks for a free answer. */
export function humanTurn(
  question: string,
  choices: readonly string[] = [],
  form: TurnForm = promptForms.minigpt4,
): string {
  return form.turn(listedQuestion(question, choices));
}

/** Asks for a description: the first of MiniGPT-4's requests. */
export const captionRequest = 'Describe this image in detail.';

/** What the model reads before it describes an image. */
export function captionTurn(request = captionRequest, form: TurnForm = promptForms.minigpt4): string {
  return humanTurn(request, [], form);
}

/** The answer as far as choices are ranked by it: `The answer is (A) cat`. */
export function answerStem(choices: readonly string[], choice: number): string {
  return `${ANSWER_START} ${choiceText(choices, choice)}`;
}

/** QMA: the answer alone. */
export function answerQma(choices: readonly string[], correct: number): string {
  return `${answerStem(choices, correct)}.`;
}

/** QMAE: the answer, then the explanation, which is the longest rationale. */
export function answerQmae(choices: readonly string[], correct: number, rationales: readonly string[]): string {
  const longest = rationales
    .map((rationale) => rationale.replace(/^Explanations?:\s*/i, '').trim())
    .reduce((best, rationale) => (rationale.length > best.length ? rationale : best), '');
  const answer = answerQma(choices, correct);
  return longest === '' ? answer : `${answer} ${longest}`;
}
