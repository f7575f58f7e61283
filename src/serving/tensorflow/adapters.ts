/** PEFT adapters over one model, unmerged, of which every sequence of a batch takes another. */
import { InputError } from '../../core/input-error.ts';
import { familyOf } from '../../model/families/index.ts';
import { type Adapter, type LoraPair, readAdapter } from '../../model/files/adapter.ts';
import type { ModelDirectory } from '../../model/files/model-directory.ts';
import type { Adapters } from '../../model/llama.ts';
import type { Program } from '../../model/ops/program.ts';
import { frozen } from '../../model/ops/tape.ts';
import type { Value } from '../../model/ops/value.ts';

const isOfLanguageModel = (module: string) => module.startsWith('language_model.');

/**
 * Reads adapters, each from its directory.
 *
 * @throws InputError for one that is no adapter of this model
 */
export async function readAdapters(
  model: ModelDirectory,
  directories: Readonly<Record<string, string>>,
): Promise<Map<string, Adapter>> {
  const adapters = new Map<string, Adapter>();
  for (const [name, directory] of Object.entries(directories)) {
    const adapter = await readAdapter(directory, familyOf(model.config).publishedName);
    if (adapter.config.use_dora) {
      const problem = 'is not served beside other adapters: its magnitudes scale whole weights';
      throw new InputError({
        file: directory,
        field: 'use_dora',
        problem,
        remedy: 'Merge it, and serve the merged model',
      });
    }
    for (const [tensor, { shape, data }] of adapter.saved) {
      const isFit = model.shapes.get(tensor)?.join() === shape.join() && data.every((value) => Number.isFinite(value));
      if (isFit) continue;
      const problem = 'is not in the base model, has another shape, or has values that are no finite numbers';
      const remedy = 'Use the adapter with the model it was trained on';
      throw new InputError({ file: directory, field: tensor, problem, remedy });
    }
    for (const [module, pair] of adapter.tensors) requireFit(model, directory, module, pair);
    adapters.set(name, adapter);
  }
  return adapters;
}

function requireFit({ shapes }: ModelDirectory, directory: string, module: string, { A, B }: LoraPair): void {
  // In the slots that it was computed in, what is no number would be left to requests of other adapters.
  if (![A, B].every(({ data }) => data.every((value) => Number.isFinite(value)))) {
    const problem = 'has weights that are no finite numbers';
    const remedy = 'Use the adapter of a run that did not diverge';
    throw new InputError({ file: directory, field: module, problem, remedy });
  }
  const shape = shapes.get(`${module}.weight`);
  if (shape?.length === 2 && shape[0] === B.shape[0] && shape[1] === A.shape[1]) return;
  throw new InputError({
    file: directory,
    field: module,
    problem: shape
      ? `adapts a weight of [${B.shape[0]}, ${A.shape[1]}], the model's is [${shape.join(', ')}]`
      : 'the base model has no such layer',
    remedy: 'Use the adapter with the model it was trained on',
  });
}

export interface StackedAdapters {
  /** For the traced functions; 0 chooses no adapter, 1 the first one. */
  choose(chosen: Value): Adapters;
  /** To be assigned once the program is loaded. */
  factors: Map<string, Float32Array>;
}

/** Lays the factors of all adapters beside each other; smaller ranks are filled up with zeros. */
export function stackAdapters(program: Program, adapters: readonly Adapter[]): StackedAdapters | undefined {
  const modules = new Set(adapters.flatMap(({ tensors }) => [...tensors.keys()].filter(isOfLanguageModel)));
  if (modules.size === 0) return undefined;
  const factors = new Map<string, Float32Array>();
  const shapes = new Map<string, { a: number[]; b: number[] }>();
  for (const module of modules) {
    const pairs = adapters.map(({ tensors }) => tensors.get(module));
    const some = pairs.find((pair) => pair !== undefined) as LoraPair;
    const rank = Math.max(...pairs.map((pair) => pair?.A.shape[0] ?? 0));
    const [inputs, outputs] = [some.A.shape[1] as number, some.B.shape[0] as number];
    const a = new Float32Array((adapters.length + 1) * rank * inputs);
    const b = new Float32Array((adapters.length + 1) * outputs * rank);
    for (const [index, pair] of pairs.entries()) {
      if (pair === undefined) continue;
      const own = pair.A.shape[0] as number;
      a.set(pair.A.data, (index + 1) * rank * inputs);
      for (let place = 0; place < pair.B.data.length; place++) {
        const row = Math.floor(place / own);
        b[((index + 1) * outputs + row) * rank + (place % own)] = (pair.B.data[place] as number) * pair.scaling;
      }
    }
    factors.set(`${module}.lora_A`, a).set(`${module}.lora_B`, b);
    shapes.set(module, { a: [adapters.length + 1, rank, inputs], b: [adapters.length + 1, outputs, rank] });
  }
  return {
    factors,
    choose: (chosen) => (module) => {
      const shape = shapes.get(module);
      return (
        shape && {
          a: frozen(program.variable(`${module}.lora_A`, shape.a)),
          b: frozen(program.variable(`${module}.lora_B`, shape.b)),
          chosen,
        }
      );
    },
  };
}
