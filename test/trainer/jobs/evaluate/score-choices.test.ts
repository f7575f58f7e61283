/** Scoring all choices in one packed sequence must give what one forward a choice gives. */
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../../../src/core/seeded-random.ts';
import { familyOf } from '../../../../src/model/families/index.ts';
import { type ModelDirectory, readModelDirectory } from '../../../../src/model/files/model-directory.ts';
import { Program } from '../../../../src/model/ops/program.ts';
import {
  choiceLosses,
  type PackedQuestion,
  packBatch,
  packedShape,
} from '../../../../src/trainer/jobs/evaluate/packed-choices.ts';
import { traceScorer } from '../../../../src/trainer/jobs/evaluate/score-choices.ts';
import { frozenWeights, loadWeights } from '../../../../src/trainer/jobs/frozen-weights.ts';

let model: ModelDirectory;
beforeAll(async () => {
  model = await readModelDirectory(path.join(import.meta.dirname, '../../../fixtures/tiny-blip2'));
});
afterAll(() => model.close());

const random = seededRandom('questions');
const tokens = (count: number) => Array.from({ length: count }, () => 4 + random.integer(60));

function question(promptLength: number, choiceLengths: number[], imageStart: number): PackedQuestion {
  const total = promptLength + choiceLengths.reduce((sum, length) => sum + length, 0);
  return { tokenIds: tokens(total), promptLength, choiceLengths, imageStart };
}

async function score(batches: PackedQuestion[][], batchSize: number, images: Float32Array[]): Promise<number[][][]> {
  const program = new Program();
  try {
    const scorer = traceScorer(
      program,
      frozenWeights(program, model, { use: 'forward' }),
      model.config,
      batches,
      batchSize,
    );
    program.load();
    await loadWeights(program, model);
    return batches.map((batch, index) => scorer.score(batch, images[index] as Float32Array));
  } finally {
    program.dispose();
  }
}

test('the packed losses equal those of every choice on its own', async () => {
  const packed = [question(9, [3, 5, 1, 4], 2), question(6, [2, 2, 2, 2], -1)];
  const length = familyOf(model.config).imageTokens * model.config.text_config.hidden_size;
  const images = Float32Array.from({ length: 2 * length }, () => random.uniform() - 0.5);

  const [together] = (await score([packed], 2, [images])) as [number[][]];

  for (const [index, { tokenIds, promptLength, choiceLengths, imageStart }] of packed.entries()) {
    let start = promptLength;
    const alone = choiceLengths.map((choiceLength): PackedQuestion => {
      const choice = tokenIds.slice(start, start + choiceLength);
      start += choiceLength;
      return {
        tokenIds: [...tokenIds.slice(0, promptLength), ...choice],
        promptLength,
        choiceLengths: [choiceLength],
        imageStart,
      };
    });
    const own = images.slice(index * length, (index + 1) * length);
    const separate = await score(
      alone.map((one) => [one]),
      1,
      alone.map(() => own),
    );
    separate.forEach((batch, choice) => {
      expect(together[index]?.[choice]).toBeCloseTo(batch[0]?.[0] as number, 4);
    });
  }
});

test("a question's losses do not depend on what else is in its batch", async () => {
  const one = question(7, [2, 3, 2, 2], -1);
  const other = question(12, [6, 1, 3, 2], -1);
  const length = familyOf(model.config).imageTokens * model.config.text_config.hidden_size;
  const [alone, among] = await score([[one], [one, other]], 2, [
    new Float32Array(2 * length),
    new Float32Array(2 * length),
  ]);
  alone?.[0]?.forEach((loss, choice) => expect(among?.[0]?.[choice]).toBeCloseTo(loss, 4));
});

test('a choice token sees the prompt and its own choice, never another', () => {
  const one = question(3, [2, 2], -1);
  const shape = packedShape([one], 1);
  const { mask } = packBatch([one], shape, Float32Array.of(1), 4);
  const sees = (row: number) =>
    Array.from({ length: 7 }, (_, column) => (mask[row * shape.tokens + column] === 0 ? column : -1)).filter(
      (c) => c >= 0,
    );
  expect(sees(2)).toEqual([0, 1, 2]);
  expect(sees(4)).toEqual([0, 1, 2, 3, 4]);
  expect(sees(5)).toEqual([0, 1, 2, 5]);
  expect(sees(6)).toEqual([0, 1, 2, 5, 6]);
});

test('the mean loss of a choice is over its own tokens', () => {
  const one = { tokenIds: [], promptLength: 0, choiceLengths: [2, 1, 3], imageStart: -1 };
  expect(choiceLosses(one, Float32Array.of(1, 3, 5, 1, 2, 6, 99))).toEqual([2, 5, 3]);
});
