/**
 * A question with all its choices as one sequence: the prompt once, then every choice, each seeing the prompt
 * and itself but not the others. One forward then gives the losses of all choices, at the cost of little more
 * than one of them.
 */
import { additiveMask } from '../../../model/layers/attention.ts';
import { rotaryTables } from '../../../model/layers/rotary-embedding.ts';
import { placeImage } from '../../../model/multimodal.ts';
import type { TypedArray } from '../../../model/ops/tensorflow.ts';
import { type EvaluationQuestion, imagesOfQuestion } from '../../job-files.ts';
import { roundUp } from '../batch.ts';
import { type PromptSettings, rankedIds } from '../sequence.ts';

export interface PackedQuestion {
  /** Prompt, then the tokens of every choice. */
  tokenIds: number[];
  /** Tokens of the prompt. */
  promptLength: number;
  /** Tokens of each choice. */
  choiceLengths: number[];
  /** Place of the first image embedding, or -1. */
  imageStart: number;
  /** Places of the first embeddings of further images. */
  laterImages?: readonly number[];
}

/** Prompt, start of the answer, and what each answer adds to it. */
export async function packQuestion(
  { question, answerStart, answers, ...shown }: EvaluationQuestion,
  settings: PromptSettings,
): Promise<PackedQuestion> {
  const images = imagesOfQuestion(shown).length;
  const { ids, answers: scored, ...places } = await rankedIds({ question, images, answerStart, answers }, settings);
  return {
    tokenIds: [...ids, ...scored.flat()],
    promptLength: ids.length,
    choiceLengths: scored.map((choice) => choice.length),
    ...places,
  };
}

export interface PackedShape {
  batch: number;
  tokens: number;
  /** Choice tokens a question, of all its choices together. */
  targets: number;
  /** Images, or questions without one: one a question, or more. */
  images: number;
}

const TOKEN_STEP = 16;
const TARGET_STEP = 8;
const IMAGE_STEP = 4;

/** The smallest shape in coarse steps that holds the questions. */
export function packedShape(questions: readonly PackedQuestion[], batch: number): PackedShape {
  const tokens = Math.max(...questions.map(({ tokenIds }) => tokenIds.length));
  const targets = Math.max(...questions.map((question) => question.tokenIds.length - question.promptLength));
  const later = questions.reduce((sum, { laterImages = [] }) => sum + laterImages.length, 0);
  return {
    batch,
    tokens: roundUp(tokens, TOKEN_STEP),
    targets: roundUp(targets, TARGET_STEP),
    images: batch + roundUp(later, IMAGE_STEP),
  };
}

/** Position of every token, and where its choice starts and ends (the prompt belongs to all). */
function layOut({ promptLength, choiceLengths }: PackedQuestion) {
  const positions = Array.from({ length: promptLength }, (_, position) => position);
  const spans: { start: number; length: number }[] = [];
  let start = promptLength;
  for (const length of choiceLengths) {
    spans.push({ start, length });
    for (let offset = 0; offset < length; offset++) positions.push(promptLength + offset);
    start += length;
  }
  return { positions, spans };
}

/** The arrays that the traced scoring function takes. */
export interface PackedBatch extends Record<string, TypedArray> {
  tokenIds: Int32Array;
  isImage: Uint8Array;
  imageRows: Int32Array;
  /** float32 `[batch * tokens, headSize / 2]` */
  cosine: Float32Array;
  sine: Float32Array;
  /** float32 `[batch * tokens, tokens]` */
  mask: Float32Array;
  rows: Int32Array;
  labels: Int32Array;
}

/** Lays questions side by side; missing ones (the last batch) are padding. */
export function packBatch(
  questions: readonly PackedQuestion[],
  { batch, tokens, targets }: Omit<PackedShape, 'images'>,
  frequencies: Float32Array,
  queries: number,
): PackedBatch {
  const positions = new Int32Array(batch * tokens);
  const visible = new Uint8Array(batch * tokens * tokens);
  const result = {
    tokenIds: new Int32Array(batch * tokens),
    isImage: new Uint8Array(batch * tokens),
    imageRows: new Int32Array(batch * tokens),
    rows: new Int32Array(batch * targets),
    labels: new Int32Array(batch * targets),
  };
  const see = (sequence: number, row: number, from: number, to: number) => {
    const start = (sequence * tokens + row) * tokens;
    visible.fill(1, start + from, start + to);
  };
  for (let sequence = 0; sequence < batch; sequence++) {
    // A row that sees nothing would be a softmax over nothing: padding sees itself.
    for (let row = 0; row < tokens; row++) see(sequence, row, row, row + 1);
    result.rows.fill(sequence * tokens, sequence * targets, (sequence + 1) * targets);
  }
  let image = 0;
  questions.forEach((question, sequence) => {
    const { tokenIds, promptLength, imageStart, laterImages = [] } = question;
    const layout = layOut(question);
    result.tokenIds.set(tokenIds, sequence * tokens);
    positions.set(layout.positions, sequence * tokens);
    for (const [shown, start] of [imageStart, ...laterImages].entries()) {
      if (start >= 0) placeImage(result, sequence * tokens + start, image + shown, queries);
    }
    image += 1 + laterImages.length;
    for (let row = 0; row < promptLength; row++) see(sequence, row, 0, row + 1);
    let slot = sequence * targets;
    for (const { start, length } of layout.spans) {
      for (let offset = 0; offset < length; offset++) {
        see(sequence, start + offset, 0, promptLength);
        see(sequence, start + offset, start, start + offset + 1);
        const before = offset === 0 ? promptLength - 1 : start + offset - 1;
        result.rows[slot] = sequence * tokens + before;
        result.labels[slot] = tokenIds[start + offset] as number;
        slot += 1;
      }
    }
  });
  const tables = rotaryTables(positions, frequencies);
  return { ...result, ...tables, mask: additiveMask(visible) };
}

/**
 * Mean loss of every choice.
 *
 * @param losses float32 `[targets]` of one question
 */
export function choiceLosses(question: PackedQuestion, losses: Float32Array): number[] {
  let slot = 0;
  return question.choiceLengths.map((length) => {
    let sum = 0;
    for (let offset = 0; offset < length; offset++) sum += losses[slot++] as number;
    return sum / length;
  });
}
