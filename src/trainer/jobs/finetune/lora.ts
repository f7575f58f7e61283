/** LoRA adapters on the language model: which layers, their initial values, how they enter the trained graph. */

import { InputError } from '../../../core/input-error.ts';
import { seededRandom } from '../../../core/seeded-random.ts';
import type { ModelConfig } from '../../../model/families/index.ts';
import { headSize } from '../../../model/files/llama.ts';
import type { Adapter } from '../../../model/layers/adapted-linear.ts';
import type { Adapters } from '../../../model/llama.ts';
import type { Ops } from '../../../model/ops/ops.ts';
import { trained, type Variable } from '../../../model/ops/tape.ts';
import { sizeOf, type Value } from '../../../model/ops/value.ts';
import type { LoraSettings } from '../../protocol.ts';

/** One adapted layer: its name in the base model and the size of its weight. */
export interface AdaptedModule {
  name: string;
  inputSize: number;
  outputSize: number;
}

/**
 * The linear layers of the language model whose last name is among `targetModules`, as PEFT matches them.
 *
 * @throws InputError for a target that names no layer
 */
export function adaptedModules(config: ModelConfig, targetModules: readonly string[]): AdaptedModule[] {
  const text = config.text_config;
  const size = headSize(text);
  const queries = text.num_attention_heads * size;
  const keys = text.num_key_value_heads * size;
  const sizes: Record<string, [path: string, inputSize: number, outputSize: number]> = {
    q_proj: ['self_attn', text.hidden_size, queries],
    k_proj: ['self_attn', text.hidden_size, keys],
    v_proj: ['self_attn', text.hidden_size, keys],
    o_proj: ['self_attn', queries, text.hidden_size],
    gate_proj: ['mlp', text.hidden_size, text.intermediate_size],
    up_proj: ['mlp', text.hidden_size, text.intermediate_size],
    down_proj: ['mlp', text.intermediate_size, text.hidden_size],
  };
  const unknown = targetModules.find((target) => !Object.hasOwn(sizes, target));
  if (unknown) {
    throw new InputError({
      file: 'configuration',
      field: 'finetune.lora.targetModules',
      problem: `'${unknown}' is no linear layer of the language model`,
      remedy: `Use some of ${Object.keys(sizes).join(', ')}`,
    });
  }
  const layers = Array.from({ length: text.num_hidden_layers }, (_, index) => index);
  return layers.flatMap((layer) =>
    Object.entries(sizes)
      .filter(([target]) => targetModules.includes(target))
      .map(([target, [path, inputSize, outputSize]]) => ({
        name: `language_model.model.layers.${layer}.${path}.${target}`,
        inputSize,
        outputSize,
      })),
  );
}

/** Shapes of the trained tensors: `<module>.lora_A` `[rank, in]`, `<module>.lora_B` `[out, rank]`. */
export function loraShapes(modules: readonly AdaptedModule[], rank: number): Map<string, readonly number[]> {
  return new Map(
    modules.flatMap(({ name, inputSize, outputSize }): [string, readonly number[]][] => [
      [`${name}.lora_A`, [rank, inputSize]],
      [`${name}.lora_B`, [outputSize, rank]],
    ]),
  );
}

/** PEFT's start: A uniform in ±1/sqrt(in), B zero, so that the first step starts at the base model. */
export function initialLora(shapes: ReadonlyMap<string, readonly number[]>, seed: number): Float32Array[] {
  return [...shapes].map(([name, shape]) => {
    const values = new Float32Array(sizeOf(shape));
    if (name.endsWith('lora_B')) return values;
    const random = seededRandom(seed).fork(name);
    const bound = 1 / Math.sqrt(shape[1] as number);
    return values.map(() => (random.uniform() * 2 - 1) * bound);
  });
}

/**
 * Adapters over the trained variables.
 *
 * @param dropoutSeed int32 `[2]`, different every step; none where nothing drops out
 */
export function traceAdapters(
  ops: Ops,
  variables: ReadonlyMap<string, Variable>,
  settings: LoraSettings,
  dropoutSeed?: Value,
): Adapters<Adapter> {
  const order = [...variables.keys()];
  return (module, inputShape, tape): Adapter | undefined => {
    const a = variables.get(`${module}.lora_A`);
    const b = variables.get(`${module}.lora_B`);
    if (!a || !b) return undefined;
    const adapter = { a, b, scaling: settings.alpha / settings.rank };
    if (settings.dropout === 0 || !dropoutSeed) return adapter;
    const seed = ops.add(
      tape.input(dropoutSeed),
      ops.constant(Int32Array.of(0, order.indexOf(`${module}.lora_A`)), [2]),
    );
    const kept = ops.greaterEqual(ops.randomUniform(inputShape, seed), ops.scalar(settings.dropout));
    return { ...adapter, dropout: { kept, scaling: 1 / (1 - settings.dropout) } };
  };
}

/** Marks unpacked values as trained. */
export function trainedVariables(values: ReadonlyMap<string, Value>): Map<string, Variable> {
  return new Map([...values].map(([name, value]) => [name, trained(value)]));
}
