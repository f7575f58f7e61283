/** LoRA adapters: on which layers, their initial values, how they enter the trained graph. */

import { type AdaptedPart, loraScaling, type TrainablePart, targetsByPart } from '../../../config/lora-schema.ts';
import { InputError } from '../../../core/input-error.ts';
import { seededRandom } from '../../../core/seeded-random.ts';
import type { ModelConfig } from '../../../model/families/index.ts';
import { headSize } from '../../../model/files/llama.ts';
import type { ModelDirectory } from '../../../model/files/model-directory.ts';
import { type FlatParameters, viewsOf } from '../../../model/flat-parameters.ts';
import { type Adapter, adaptedLinear } from '../../../model/layers/adapted-linear.ts';
import { addBias } from '../../../model/layers/linear.ts';
import type { Adapters } from '../../../model/llama.ts';
import type { Ops } from '../../../model/ops/ops.ts';
import { trained, type Variable, type Weights } from '../../../model/ops/tape.ts';
import { sizeOf, type Value } from '../../../model/ops/value.ts';
import type { FinetuneJob, LoraSettings } from '../../protocol.ts';
import { type AdaptedModule, imageParts } from '../vision/image-entry.ts';

/**
 * The linear layers whose last name is among the targets of their part of the model, as PEFT matches them: those of the language
 * model, then those of the vision side and of the projector that something is read of.
 *
 * @throws InputError for a target that names no layer
 */
export function adaptedModules(config: ModelConfig, targetModules: LoraSettings['targetModules']): AdaptedModule[] {
  const { language, vision, projector } = targetsByPart(targetModules);
  const adapted = languageModules(config, language);
  if (vision.length === 0 && projector.length === 0) return adapted;
  const parts = imageParts(config);
  return [
    ...adapted,
    ...chosen(parts.vision.layers, vision, 'vision', 'the vision side'),
    ...chosen(parts.projection.layers, projector, 'projector', 'the projection'),
  ];
}

function chosen(layers: readonly AdaptedModule[], targets: readonly string[], part: string, title: string) {
  const lastName = ({ name }: AdaptedModule) => name.split('.').at(-1) as string;
  requireKnown(targets, [...new Set(layers.map(lastName))], `finetune.lora.targetModules.${part}`, title);
  return layers.filter((layer) => targets.includes(lastName(layer)));
}

function languageModules(config: ModelConfig, targets: readonly string[]): AdaptedModule[] {
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
  requireKnown(targets, Object.keys(sizes), 'finetune.lora.targetModules', 'the language model');
  const layers = Array.from({ length: text.num_hidden_layers }, (_, index) => index);
  return layers.flatMap((layer) =>
    Object.entries(sizes)
      .filter(([target]) => targets.includes(target))
      .map(([target, [path, inputSize, outputSize]]) => ({
        name: `language_model.model.layers.${layer}.${path}.${target}`,
        inputSize,
        outputSize,
      })),
  );
}

function requireKnown(targets: readonly string[], known: readonly string[], field: string, title: string): void {
  const unknown = targets.find((target) => !known.includes(target));
  if (unknown === undefined) return;
  throw new InputError({
    file: 'configuration',
    field,
    problem: `'${unknown}' is no linear layer of ${title}`,
    remedy: `Use some of ${known.join(', ')}`,
  });
}

/** The part of the model that a trained tensor belongs to, by its name. */
export function partsOfTrained(
  config: ModelConfig,
  { names }: Pick<FlatParameters, 'names'>,
): (name: string) => AdaptedPart | TrainablePart {
  const isOfLanguage = (name: string) => name.startsWith('language_model.');
  if (names.every(isOfLanguage)) return () => 'language';
  const projector = new Set(imageParts(config).projection.layers.map((layer) => layer.name));
  return (name) => {
    const module = name.replace(/\.lora_(A|B|magnitude)$/, '');
    if (isOfLanguage(name)) return 'language';
    if (module === name) return 'projection';
    return projector.has(module) ? 'projector' : 'vision';
  };
}

const MAGNITUDE = '.lora_magnitude';

function rowNorms({ shape, data }: { shape: readonly number[]; data: Float32Array }): Float32Array {
  const inputs = shape[1] as number;
  return Float32Array.from({ length: shape[0] as number }, (_, row) =>
    Math.sqrt(data.subarray(row * inputs, (row + 1) * inputs).reduce((sum, value) => sum + value * value, 0)),
  );
}

/** What is trained of a model. */
export interface Trained {
  lora: LoraSettings;
  trainable?: FinetuneJob['trainable'];
}

/**
 * Shapes of all trained tensors: those of `loraShapes`, then the weights of parts that are trained whole, by their names in the
 * base model.
 *
 * @throws InputError as `adaptedModules`
 */
export function trainedShapes(config: ModelConfig, { lora, trainable = [] }: Trained): Map<string, readonly number[]> {
  const whole = trainable.includes('projection') ? imageParts(config).projection.weights : [];
  return new Map([...loraShapes(adaptedModules(config, lora.targetModules), lora.rank, lora.dora), ...whole]);
}

/** Shapes of an adapter's tensors: `<module>.lora_A` `[rank, in]`, `<module>.lora_B` `[out, rank]`, of DoRA `<module>.lora_magnitude` `[out]`. */
export function loraShapes(
  modules: readonly AdaptedModule[],
  rank: number,
  dora = false,
): Map<string, readonly number[]> {
  return new Map(
    modules.flatMap(({ name, inputSize, outputSize }): [string, readonly number[]][] => [
      [`${name}.lora_A`, [rank, inputSize]],
      [`${name}.lora_B`, [outputSize, rank]],
      ...(dora ? [[`${name}${MAGNITUDE}`, [outputSize]] as [string, readonly number[]]] : []),
    ]),
  );
}

/** PEFT's start: A uniform in ±1/sqrt(in), B zero, so that the first step starts at the base model. Others are zero here. */
export function initialLora(shapes: ReadonlyMap<string, readonly number[]>, seed: number): Float32Array[] {
  return [...shapes].map(([name, shape]) => {
    const values = new Float32Array(sizeOf(shape));
    if (!name.endsWith('lora_A')) return values;
    const random = seededRandom(seed).fork(name);
    const bound = 1 / Math.sqrt(shape[1] as number);
    return values.map(() => (random.uniform() * 2 - 1) * bound);
  });
}

/** Where training starts without an adapter: PEFT's start, and of parts that are trained whole what the model has. */
export async function untrainedParameters(
  model: ModelDirectory,
  layout: FlatParameters,
  seed: number,
): Promise<Float32Array> {
  const parameters = new Float32Array(layout.total);
  const initial = initialLora(layout.shapes, seed);
  for (const [index, [name, values]] of [...viewsOf(layout, parameters)].entries()) {
    if (name.endsWith(MAGNITUDE)) values.set(rowNorms(await model.read(`${name.slice(0, -MAGNITUDE.length)}.weight`)));
    else values.set(model.shapes.has(name) ? (await model.read(name)).data : (initial[index] as Float32Array));
  }
  return parameters;
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
    const adapter = { a, b, scaling: loraScaling(settings), magnitude: variables.get(`${module}${MAGNITUDE}`) };
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

/**
 * The weights that a step is traced with: those that are trained themselves, and on the vision side and the projector frozen
 * ones with their adapters. The language model finds its adapters itself.
 */
export function trainedWeights(
  base: Weights,
  variables: ReadonlyMap<string, Variable>,
  adapters: Adapters<Adapter>,
): Weights {
  return (name) => {
    const whole = variables.get(name);
    if (whole) return whole;
    const module = name.replace(/\.weight$/, '');
    const weight = base(name);
    if (name.startsWith('language_model.') || !variables.has(`${module}.lora_A`)) return weight;
    return {
      ...weight,
      throughAdapter: (tape, x, bias) => {
        const rows = adaptedLinear(tape, x, weight, adapters(module, x.value.shape, tape));
        return bias ? addBias(tape, rows, bias) : rows;
      },
    };
  };
}
