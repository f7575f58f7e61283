/** The traced graph of LoRA finetuning: frozen language model, trained adapters, AdamW, one step a call. */

import type { ModelDirectory } from '../model/files/model-directory.ts';
import { type FlatParameters, flatParameters, unpack } from '../model/flat-parameters.ts';
import type { InputSpecification } from '../model/ops/program.ts';
import { adamScalars, Program } from '../model/ops/program.ts';
import { frozen, Tape } from '../model/ops/tape.ts';
import type { Batch, BatchShape } from './batch.ts';
import { frozenWeights, loadWeights } from './frozen-weights.ts';
import { adaptedModules, initialLora, type LoraSettings, loraShapes, traceAdapters, trainedVariables } from './lora.ts';
import { batchInputs, batchLoss } from './loss.ts';
import { declareParameters, OPTIMIZER_STATE, optimize, SCALARS_INPUT } from './optimizer.ts';

/** Everything a resumed run needs to be the same run. */
export interface OptimizerState {
  /** Steps done. */
  step: number;
  /** float32 `[total]` each: parameters, first and second moments. */
  arrays: Record<(typeof OPTIMIZER_STATE)[number], Float32Array>;
}

export interface FinetuneProgram {
  layout: FlatParameters;
  /** Trains on one batch. `step` counts from 0. Returns the loss before the update. */
  step(input: {
    shape: BatchShape;
    batch: Batch;
    /** float32 `[batch * queries, hidden]` */
    pictures: Float32Array;
    step: number;
    learningRate: number;
  }): number;
  read(): OptimizerState['arrays'];
  write(arrays: OptimizerState['arrays']): void;
  dispose(): void;
}

const shapeName = ({ batch, tokens, targets }: BatchShape) => `step-${batch}-${tokens}-${targets}`;

/**
 * Traces and loads the program, with freshly initialised adapters.
 *
 * @param shapes every batch shape that will occur
 */
export async function finetuneProgram(
  model: ModelDirectory,
  lora: LoraSettings,
  shapes: readonly BatchShape[],
  settings: { weightDecay: number; seed: number },
): Promise<FinetuneProgram> {
  const { config } = model;
  const layout = flatParameters(loraShapes(adaptedModules(config, lora.targetModules), lora.rank));
  const program = new Program();
  const flat = declareParameters(program, layout);
  const weights = frozenWeights(program, model);
  const hidden = config.text_config.hidden_size;

  for (const shape of new Map(shapes.map((shape) => [shapeName(shape), shape])).values()) {
    const inputs = {
      ...batchInputs(shape),
      ...SCALARS_INPUT,
      dropoutSeed: { shape: [2], dataType: 'int32' },
      pictures: { shape: [shape.batch * config.num_query_tokens, hidden], dataType: 'float32' },
    } as const satisfies Record<string, InputSpecification>;
    program.define(shapeName(shape), inputs, (ops, values, update) => {
      const tape = new Tape(ops);
      const variables = trainedVariables(unpack(ops, layout, flat));
      const adapters = traceAdapters(ops, variables, lora, values.dropoutSeed);
      const loss = batchLoss(tape, weights, config, shape, values, frozen(values.pictures), adapters);
      optimize(tape, update, loss, [...variables.values()], values.scalars);
      return { loss: loss.value };
    });
  }
  program.load();
  await loadWeights(program, model);

  const write = (arrays: OptimizerState['arrays']) => program.assignAll(new Map(Object.entries(arrays)));
  const parameters = new Float32Array(layout.total);
  let offset = 0;
  for (const values of initialLora(layout.shapes, settings.seed)) {
    parameters.set(values, offset);
    offset += values.length;
  }
  const [, first, second] = OPTIMIZER_STATE;
  write({ parameters, [first]: new Float32Array(layout.total), [second]: new Float32Array(layout.total) });

  return {
    layout,
    step: ({ shape, batch, pictures, step, learningRate }) => {
      const { loss } = program.run(shapeName(shape), {
        ...batch,
        pictures,
        scalars: adamScalars(step + 1, learningRate, settings.weightDecay),
        dropoutSeed: Int32Array.of(settings.seed, step * layout.names.length),
      });
      return loss?.[0] as number;
    },
    read: () =>
      Object.fromEntries(OPTIMIZER_STATE.map((name) => [name, program.read(name)])) as OptimizerState['arrays'],
    write,
    dispose: () => program.dispose(),
  };
}
