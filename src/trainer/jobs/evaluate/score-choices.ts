/** Scores multiple-choice questions by the mean loss of every choice, the reference system's ranking. */
import { familyOf, type ModelConfig } from '../../../model/families/index.ts';
import { headSize } from '../../../model/files/llama.ts';
import { rotaryFrequencies } from '../../../model/layers/rotary-embedding.ts';
import type { Adapters } from '../../../model/llama.ts';
import { multimodal } from '../../../model/multimodal.ts';
import type { Ops } from '../../../model/ops/ops.ts';
import type { Program } from '../../../model/ops/program.ts';
import type { Weights } from '../../../model/ops/tape.ts';
import { Tape } from '../../../model/ops/tape.ts';
import { type EnteredImages, enteredImages } from '../vision/image-entry.ts';
import { choiceLosses, type PackedQuestion, type PackedShape, packBatch, packedShape } from './packed-choices.ts';

export interface ChoiceScorer {
  /**
   * Losses of a batch of questions, one list a question, one mean loss a choice.
   *
   * @param images what is entered for images, float32, by default `[images * queries, hidden]`, as many as the questions'
   *   `packedShape` holds
   */
  score(questions: readonly PackedQuestion[], images: Float32Array): number[][];
}

interface TrainedModel {
  entered: EnteredImages;
  of(ops: Ops): { weights: Weights; adapters: Adapters };
}

const shapeName = ({ batch, tokens, targets, images }: PackedShape) =>
  `score-${batch}-${tokens}-${targets}${images > batch ? `-${images}` : ''}`;

/**
 * Traces the scoring functions for batches of questions into a program that is not loaded yet.
 *
 * @param batches the questions as they will be scored together; their shapes are what is traced
 * @param trained the model that answers: its adapters and weights, and how images enter it. Default: the weights alone
 */
export function traceScorer(
  program: Program,
  weights: Weights,
  config: ModelConfig,
  batches: readonly (readonly PackedQuestion[])[],
  batchSize: number,
  trained: TrainedModel = {
    entered: enteredImages(config, 'embeddings'),
    of: () => ({ weights, adapters: () => undefined }),
  },
): ChoiceScorer {
  const text = config.text_config;
  const half = headSize(text) / 2;
  const frequencies = rotaryFrequencies(half * 2, text.rope_theta, text.rope_scaling);
  const queries = familyOf(config).imageTokens;
  const shapes = batches.map((questions) => packedShape(questions, batchSize));
  for (const shape of new Map(shapes.map((shape) => [shapeName(shape), shape])).values()) {
    defineScore(program, config, shape, half, trained);
  }
  return {
    score(questions, images) {
      const shape = packedShape(questions, batchSize);
      const batch = packBatch(questions, shape, frequencies, queries);
      const losses = program.run(shapeName(shape), { ...batch, images }).losses as Float32Array;
      return questions.map((question, index) =>
        choiceLosses(question, losses.subarray(index * shape.targets, (index + 1) * shape.targets)),
      );
    },
  };
}

function defineScore(
  program: Program,
  config: ModelConfig,
  shape: PackedShape,
  half: number,
  trained: TrainedModel,
): void {
  const { batch, tokens, targets, images } = shape;
  const inputs = {
    tokenIds: { shape: [batch * tokens], dataType: 'int32' },
    isImage: { shape: [batch * tokens, 1], dataType: 'bool' },
    imageRows: { shape: [batch * tokens], dataType: 'int32' },
    cosine: { shape: [batch * tokens, half], dataType: 'float32' },
    sine: { shape: [batch * tokens, half], dataType: 'float32' },
    mask: { shape: [batch * tokens, tokens], dataType: 'float32' },
    rows: { shape: [batch * targets], dataType: 'int32' },
    labels: { shape: [batch * targets], dataType: 'int32' },
    images: { shape: trained.entered.shape(images), dataType: 'float32' },
  } as const;
  program.define(shapeName(shape), inputs, (ops, values) => {
    const { cosine, sine, mask, rows, labels } = values;
    const tape = new Tape(ops);
    const { weights, adapters } = trained.of(ops);
    const input = {
      ...values,
      batch,
      images: trained.entered.embed(tape, weights, values.images),
      tables: { cosine, sine, mask },
      outputs: { perSequence: targets, rows, tableRows: rows },
    };
    const logits = multimodal(tape, weights, config, input, adapters);
    const [losses] = ops.crossEntropy(logits.value, labels);
    return { losses };
  });
}
