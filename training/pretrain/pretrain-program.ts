/** The traced graph of pretraining: every weight trained, from pixels to text. */
import { type FlatParameters, flatParameters, unpack } from '../../model/flat-parameters.ts';
import type { ModelConfig } from '../../model/files/model-config.ts';
import { expectedTensors } from '../../model/files/model-directory.ts';
import { pictureEmbeddings } from '../../model/minigpt4.ts';
import type { InputSpecification } from '../../model/ops/program.ts';
import { adamScalars, Program } from '../../model/ops/program.ts';
import { Tape } from '../../model/ops/tape.ts';
import type { Batch, BatchShape } from '../batch.ts';
import { trainedVariables } from '../lora.ts';
import type { OptimizerState } from '../finetune-program.ts';
import { batchInputs, batchLoss } from '../loss.ts';
import { declareParameters, OPTIMIZER_STATE, optimize, SCALARS_INPUT } from '../optimizer.ts';
import { initialParameters } from './initial-parameters.ts';

const MAXIMUM_GRADIENT_NORM = 1;

export interface PretrainProgram {
  layout: FlatParameters;
  step(input: {
    shape: BatchShape;
    batch: Batch;
    /** float32 `[batch, 3, size, size]` */
    pixels: Float32Array;
    step: number;
    learningRate: number;
    weightDecay: number;
  }): { loss: number; gradientNorm: number };
  read(): OptimizerState['arrays'];
  write(arrays: OptimizerState['arrays']): void;
  dispose(): void;
}

const shapeName = ({ batch, tokens, targets }: BatchShape) => `step-${batch}-${tokens}-${targets}`;

/**
 * Traces, loads and initialises the program for the batch shapes that will occur.
 *
 * @param known tensors that were trained before; all others begin fresh
 */
export function pretrainProgram(
  config: ModelConfig,
  shapes: readonly BatchShape[],
  seed: number,
  known: ReadonlyMap<string, Float32Array>,
): PretrainProgram {
  const layout = flatParameters(expectedTensors(config));
  const program = new Program({ productType: 'bfloat16' });
  const flat = declareParameters(program, layout);
  const size = config.vision_config.image_size;
  for (const shape of new Map(shapes.map((shape) => [shapeName(shape), shape])).values()) {
    const inputs = {
      ...batchInputs(shape),
      ...SCALARS_INPUT,
      pixels: { shape: [shape.batch, 3, size, size], dataType: 'float32' },
    } as const satisfies Record<string, InputSpecification>;
    program.define(shapeName(shape), inputs, (ops, values, update) => {
      const tape = new Tape(ops);
      const variables = trainedVariables(unpack(ops, layout, flat));
      const weights = (name: string) => {
        const variable = variables.get(name);
        if (!variable) throw new Error(`the model has no tensor '${name}'`);
        return variable;
      };
      const pictures = pictureEmbeddings(tape, weights, config, values.pixels);
      const loss = batchLoss(tape, weights, config, shape, values, pictures);
      const all = [...variables.values()];
      const gradientNorm = optimize(tape, update, layout, loss, all, values.scalars, MAXIMUM_GRADIENT_NORM);
      return { loss: loss.value, gradientNorm };
    });
  }
  program.load();

  const write = (arrays: OptimizerState['arrays']) => {
    for (const name of OPTIMIZER_STATE) program.assign(name, arrays[name]);
  };
  const [, first, second] = OPTIMIZER_STATE;
  write({
    parameters: initialParameters(config, layout, seed, known),
    [first]: new Float32Array(layout.total),
    [second]: new Float32Array(layout.total),
  });

  return {
    layout,
    step: ({ shape, batch, pixels, step, learningRate, weightDecay }) => {
      const scalars = adamScalars(step + 1, learningRate, weightDecay);
      const { loss, gradientNorm } = program.run(shapeName(shape), { ...batch, pixels, scalars });
      return { loss: loss?.[0] as number, gradientNorm: gradientNorm?.[0] as number };
    },
    read: () =>
      Object.fromEntries(OPTIMIZER_STATE.map((name) => [name, program.read(name)])) as OptimizerState['arrays'],
    write,
    dispose: () => program.dispose(),
  };
}
