/** The loss of a batch, as both finetuning and pretraining trace it. */
import type { ModelConfig } from '../../../model/families/index.ts';
import { headSize } from '../../../model/files/llama.ts';
import { causalMask } from '../../../model/layers/attention.ts';
import { crossEntropy } from '../../../model/layers/cross-entropy.ts';
import { rotaryFrequencies, rotaryTables } from '../../../model/layers/rotary-embedding.ts';
import type { Adapters } from '../../../model/llama.ts';
import { multimodal } from '../../../model/multimodal.ts';
import type { Ops } from '../../../model/ops/ops.ts';
import type { InputSpecification } from '../../../model/ops/program.ts';
import type { Tape, Variable, Weights } from '../../../model/ops/tape.ts';
import type { Value } from '../../../model/ops/value.ts';
import type { BatchShape } from '../batch.ts';

export type BatchInput = keyof ReturnType<typeof batchInputs>;

/** Input types of a batch, for tracing. */
export function batchInputs({ batch, tokens, targets }: BatchShape) {
  return {
    tokenIds: { shape: [batch * tokens], dataType: 'int32' },
    isImage: { shape: [batch * tokens, 1], dataType: 'bool' },
    imageRows: { shape: [batch * tokens], dataType: 'int32' },
    rows: { shape: [batch * targets], dataType: 'int32' },
    tableRows: { shape: [batch * targets], dataType: 'int32' },
    labels: { shape: [batch * targets], dataType: 'int32' },
    weights: { shape: [batch * targets], dataType: 'float32' },
  } as const satisfies Record<string, InputSpecification>;
}

/** Position and mask tables that all right-padded causal sequences of one length share. */
export function causalTables(ops: Ops, config: Pick<ModelConfig, 'text_config'>, tokens: number) {
  const text = config.text_config;
  const size = headSize(text);
  const frequencies = rotaryFrequencies(size, text.rope_theta, text.rope_scaling);
  const { cosine, sine } = rotaryTables(
    Array.from({ length: tokens }, (_, position) => position),
    frequencies,
  );
  return {
    cosine: ops.constant(cosine, [tokens, size / 2]),
    sine: ops.constant(sine, [tokens, size / 2]),
    mask: ops.constant(causalMask(tokens), [tokens, tokens]),
  };
}

/**
 * Logits of the learned places of a batch.
 *
 * @param images `[batch * queries, text hidden]`
 * @returns `[batch * targets, vocabulary]`
 */
export function batchLogits(
  tape: Tape,
  weights: Weights,
  config: ModelConfig,
  shape: BatchShape,
  inputs: Record<BatchInput, Value>,
  images: Variable,
  adapters?: Adapters,
  activationCheckpointing = false,
): Variable {
  return multimodal(
    tape,
    weights,
    config,
    {
      batch: shape.batch,
      tokenIds: inputs.tokenIds,
      isImage: inputs.isImage,
      imageRows: inputs.imageRows,
      images,
      tables: causalTables(tape.ops, config, shape.tokens),
      outputs: { perSequence: shape.targets, rows: inputs.rows, tableRows: inputs.tableRows },
      activationCheckpointing,
    },
    adapters,
  );
}

/**
 * Mean loss of the answers of a batch.
 *
 * @param inputs as of `batchLogits`
 * @returns scalar
 */
export function batchLoss(...batch: Parameters<typeof batchLogits>): Variable {
  const [tape, , , , inputs] = batch;
  return crossEntropy(tape, batchLogits(...batch), inputs.labels, inputs.weights);
}
