/** Logits of one batch, for parity checks. */
import { familyOf } from '../../../model/families/index.ts';
import type { Adapter } from '../../../model/files/adapter.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import type { Adapters } from '../../../model/llama.ts';
import { multimodal } from '../../../model/multimodal.ts';
import { Program, type WeightDtype } from '../../../model/ops/program.ts';
import { frozen, Tape } from '../../../model/ops/tape.ts';
import { type Batch, type BatchShape, imagesIn } from '../batch.ts';
import { batchInputs, causalTables } from '../finetune/loss.ts';
import { frozenWeights, loadWeights } from '../frozen-weights.ts';

/**
 * Logits at the batch's learned places, with an adapter if one is given.
 *
 * @param images float32 `[images * queries, hidden]`
 * @param weightDtype of the language model's matrices
 * @returns float32 `[batch * targets, vocabulary]`
 */
export async function batchLogits(
  model: ModelDirectory,
  shape: BatchShape,
  batch: Batch,
  images: Float32Array,
  adapter?: Adapter,
  weightDtype?: WeightDtype | ((name: string) => WeightDtype),
): Promise<Float32Array> {
  const { config } = model;
  const program = new Program();
  const weights = frozenWeights(program, model, { weightDtype, use: 'forward' });
  const hidden = config.text_config.hidden_size;
  const adapters: Adapters = (module) => {
    const pair = adapter?.tensors.get(module);
    if (!adapter || !pair) return undefined;
    return {
      a: frozen(program.variable(`${module}.lora_A`, pair.A.shape)),
      b: frozen(program.variable(`${module}.lora_B`, pair.B.shape)),
      scaling: pair.scaling,
      magnitude: pair.magnitude && frozen(program.variable(`${module}.lora_magnitude`, pair.magnitude.shape)),
    };
  };
  const inputs = {
    ...batchInputs(shape),
    images: { shape: [imagesIn(shape) * familyOf(config).imageTokens, hidden], dataType: 'float32' },
  } as const;
  program.define('logits', inputs, (ops, values) => {
    const input = {
      ...values,
      batch: shape.batch,
      images: frozen(values.images),
      tables: causalTables(ops, config, shape.tokens),
      outputs: { perSequence: shape.targets, rows: values.rows, tableRows: values.tableRows },
    };
    return { logits: multimodal(new Tape(ops), weights, config, input, adapters).value };
  });
  program.load();
  try {
    await loadWeights(program, model);
    // Those of other modules are part of how the images were computed.
    const ofThisProgram = [...(adapter?.tensors ?? [])].filter(([module]) => program.has(`${module}.lora_A`));
    const factors = ofThisProgram.flatMap(([module, { A, B, magnitude }]): [string, Float32Array][] => [
      [`${module}.lora_A`, A.data],
      [`${module}.lora_B`, B.data],
      ...(magnitude ? [[`${module}.lora_magnitude`, magnitude.data] as [string, Float32Array]] : []),
    ]);
    program.assignAll(new Map(factors));
    return program.run('logits', { ...batch, images }).logits as Float32Array;
  } finally {
    program.dispose();
  }
}
