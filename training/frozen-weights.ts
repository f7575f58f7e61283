import { expectedTensors, type ModelDirectory } from '../model/files/model-directory.ts';
import type { Program } from '../model/ops/program.ts';
import { frozen, type Variable } from '../model/ops/tape.ts';
import type { Weights } from '../model/weights.ts';

/** Weights of a model directory as variables of a program; only those that the traced functions ask for. */
export function frozenWeights(program: Program, model: ModelDirectory): Weights {
  const shapes = expectedTensors(model.config);
  const known = new Map<string, Variable>();
  return (name) => {
    const variable = known.get(name);
    if (variable) return variable;
    const shape = shapes.get(name);
    if (!shape) throw new Error(`the model has no tensor '${name}'`);
    const declared = frozen(program.variable(name, shape));
    known.set(name, declared);
    return declared;
  };
}

/** Streams the weights into a loaded program, one tensor at a time. */
export async function loadWeights(program: Program, model: ModelDirectory): Promise<void> {
  for (const name of model.names()) {
    if (program.has(name)) program.assign(name, (await model.read(name)).data);
  }
}
