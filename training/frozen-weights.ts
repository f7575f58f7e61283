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

/** What is held in memory twice while weights are loaded. */
const GROUP_BYTES = 256 * 2 ** 20;

/** Streams the weights into a loaded program, in groups that memory has room for. */
export async function loadWeights(program: Program, model: ModelDirectory): Promise<void> {
  const group = new Map<string, Float32Array>();
  let bytes = 0;
  for (const name of model.names()) {
    if (!program.has(name)) continue;
    const { data } = await model.read(name);
    if (bytes + data.byteLength > GROUP_BYTES) {
      program.assignAll(group);
      group.clear();
      bytes = 0;
    }
    group.set(name, data);
    bytes += data.byteLength;
  }
  program.assignAll(group);
}
