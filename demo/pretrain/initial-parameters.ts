import type { Blip2Config } from '../../src/model/families/minigpt4/config.ts';
import { type FlatParameters, viewsOf } from '../../src/model/flat-parameters.ts';
import { initialTensor } from '../../src/model/initialize.ts';

/** Fresh weights for a layout; those in `known` are taken over as they are. */
export function initialParameters(
  config: Blip2Config,
  layout: FlatParameters,
  seed: number,
  known: ReadonlyMap<string, Float32Array> = new Map(),
): Float32Array {
  const flat = new Float32Array(layout.total);
  const depth = (name: string) => {
    if (name.startsWith('vision_model')) return config.vision_config.num_hidden_layers;
    if (name.startsWith('qformer')) return config.qformer_config.num_hidden_layers;
    return config.text_config.num_hidden_layers;
  };
  for (const [name, view] of viewsOf(layout, flat)) {
    const shape = layout.shapes.get(name) as readonly number[];
    view.set(known.get(name) ?? initialTensor(name, shape, seed, depth(name)));
  }
  return flat;
}
