/**
 * The traced graph of the second phase: projection and language model learn to read the frozen Q-Former, as in
 * MiniGPT-4's first stage (there only the projection: its language model was pretrained elsewhere).
 */

import { familyOf } from '../../src/model/families/index.ts';
import type { Blip2Config } from '../../src/model/families/minigpt4/config.ts';
import { type FlatParameters, flatParameters, unpack } from '../../src/model/flat-parameters.ts';
import { linear } from '../../src/model/layers/linear.ts';
import { adamScalars } from '../../src/model/ops/adam.ts';
import type { InputSpecification } from '../../src/model/ops/program.ts';
import { Program } from '../../src/model/ops/program.ts';
import { frozen, Tape } from '../../src/model/ops/tape.ts';
import type { Batch, BatchShape } from '../../src/trainer/jobs/batch.ts';
import type { OptimizerState } from '../../src/trainer/jobs/finetune/finetune-program.ts';
import { trainedVariables } from '../../src/trainer/jobs/finetune/lora.ts';
import { batchInputs, batchLoss } from '../../src/trainer/jobs/finetune/loss.ts';
import {
  declareParameters,
  OPTIMIZER_STATE,
  optimize,
  SCALARS_INPUT,
} from '../../src/trainer/jobs/finetune/optimizer.ts';
import { initialParameters } from './initial-parameters.ts';

const MAXIMUM_GRADIENT_NORM = 1;

export interface PretrainProgram {
  layout: FlatParameters;
  step(input: {
    shape: BatchShape;
    batch: Batch;
    /** The Q-Former's output for the images, float32 `[batch * queries, Q-Former hidden]` */
    queries: Float32Array;
    step: number;
    learningRate: number;
    weightDecay: number;
  }): { loss: number; gradientNorm: number };
  read(): OptimizerState['arrays'];
  write(arrays: OptimizerState['arrays']): void;
  dispose(): void;
}

const shapeName = ({ batch, tokens, targets }: BatchShape) => `step-${batch}-${tokens}-${targets}`;

/** Traces, loads and initializes the program for the batch shapes that will occur. */
export function pretrainProgram(config: Blip2Config, shapes: readonly BatchShape[], seed: number): PretrainProgram {
  const layout = flatParameters(
    new Map([...familyOf(config).expectedTensors()].filter(([name]) => name.startsWith('language_'))),
  );
  const program = new Program({ productType: 'bfloat16' });
  const flat = declareParameters(program, layout);
  const { num_query_tokens: perImage, qformer_config: source } = config;
  for (const shape of new Map(shapes.map((shape) => [shapeName(shape), shape])).values()) {
    const inputs = {
      ...batchInputs(shape),
      ...SCALARS_INPUT,
      queries: { shape: [shape.batch * perImage, source.hidden_size], dataType: 'float32' },
    } as const satisfies Record<string, InputSpecification>;
    program.define(shapeName(shape), inputs, (ops, values, update) => {
      const tape = new Tape(ops);
      const variables = trainedVariables(unpack(ops, layout, flat));
      const weights = (name: string) => {
        const variable = variables.get(name);
        if (!variable) throw new Error(`the model has no tensor '${name}'`);
        return variable;
      };
      const projection = 'language_projection';
      const images = linear(
        tape,
        frozen(values.queries),
        weights(`${projection}.weight`),
        weights(`${projection}.bias`),
      );
      const loss = batchLoss(tape, weights, config, shape, values, images);
      const all = [...variables.values()];
      const gradientNorm = optimize(tape, update, loss, all, values.scalars, { maximumNorm: MAXIMUM_GRADIENT_NORM });
      return { loss: loss.value, gradientNorm };
    });
  }
  program.load();

  const write = (arrays: OptimizerState['arrays']) => {
    for (const name of OPTIMIZER_STATE) program.assign(name, arrays[name]);
  };
  const [, first, second] = OPTIMIZER_STATE;
  write({
    parameters: initialParameters(config, layout, seed),
    [first]: new Float32Array(layout.total),
    [second]: new Float32Array(layout.total),
  });

  return {
    layout,
    step: ({ shape, batch, queries, step, learningRate, weightDecay }) => {
      const scalars = adamScalars(step + 1, learningRate, weightDecay);
      const { loss, gradientNorm } = program.run(shapeName(shape), { ...batch, queries, scalars });
      return { loss: loss?.[0] as number, gradientNorm: gradientNorm?.[0] as number };
    },
    read: () =>
      Object.fromEntries(OPTIMIZER_STATE.map((name) => [name, program.read(name)])) as OptimizerState['arrays'],
    write,
    dispose: () => program.dispose(),
  };
}
