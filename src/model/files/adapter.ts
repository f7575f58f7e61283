import path from 'node:path';
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { readJson } from '../../core/read-json.ts';
import { writeFileAtomically } from '../../core/write-file.ts';
import { openSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts';

/** A tensor of a LoRA pair. */
export interface AdapterTensor {
  shape: number[];
  data: Float32Array;
}

/** The two factors of a module's update, scaling·B·A: `A` is [rank, inputs], `B` is [outputs, rank]. */
export interface LoraPair {
  A: AdapterTensor;
  B: AdapterTensor;
  /** alpha / rank, or alpha / √rank for rank-stabilized LoRA (arXiv 2312.03732). */
  scaling: number;
}

/**
 * A LoRA adapter; the keys are module names of the base model as its files have them,
 * `language_model.model.layers.0.self_attn.q_proj`.
 */
export interface Adapter {
  config: AdapterConfig;
  tensors: Map<string, LoraPair>;
}

const off = z.union([z.literal(false), z.null(), z.array(z.unknown()).length(0), z.strictObject({})]).optional();
const unsupported = 'is not supported';

const adapterConfigSchema = z.looseObject({
  peft_type: z.literal('LORA'),
  task_type: z.string().nullish(),
  base_model_name_or_path: z.string().nullish(),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).max(1).default(0),
  target_modules: z.union([z.array(z.string()).min(1), z.string()]),
  bias: z.literal('none', { error: unsupported }).default('none'),
  use_rslora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), z.number().int().positive()).nullish(),
  alpha_pattern: z.record(z.string(), z.number().positive()).nullish(),
});

/** Settings of PEFT that change what an adapter computes, all of which must be off. */
const settingsToRefuse = [
  'alora_invocation_tokens',
  'arrow_config',
  'fan_in_fan_out',
  'kasa_config',
  'layer_replication',
  'lora_bias',
  'modules_to_save',
  'monteclora_config',
  'target_parameters',
  'trainable_token_indices',
  'use_bdlora',
  'use_dora',
  'use_qalora',
  'velora_config',
];

/** PEFT's `adapter_config.json`, the part that matters here; unknown keys are kept. */
export type AdapterConfig = z.output<typeof adapterConfigSchema>;

const configName = 'adapter_config.json';
const weightsName = 'adapter_model.safetensors';
const tensorName = (module: string, factor: 'A' | 'B') => `base_model.model.${module}.lora_${factor}.weight`;
const namePattern = /^base_model\.model\.(?<module>.+)\.lora_(?<factor>[AB])\.weight$/;

/**
 * Reads a LoRA adapter as PEFT saves it, whatever modules it adapts; ranks and alphas may differ by module.
 *
 * @param publishedName the module's name in the model's files for its path in PEFT
 * @throws InputError naming the file and the setting that is missing or not supported, or the tensor that
 *   is missing, unexpected or of a wrong shape.
 */
export async function readAdapter(
  directory: string,
  publishedName: (module: string) => string = (module) => module,
): Promise<Adapter> {
  const configFile = path.join(directory, configName);
  const config = await readJson(configFile, adapterConfigSchema);
  const refused = settingsToRefuse.find((setting) => !off.safeParse(config[setting]).success);
  if (refused) {
    const remedy = 'Use an adapter of plain LoRA, or merge this one into its model with PEFT';
    throw new InputError({ file: configFile, field: refused, problem: unsupported, remedy });
  }
  const file = await openSafetensors(path.join(directory, weightsName));
  try {
    return { config, tensors: await readPairs(file, config, publishedName) };
  } finally {
    await file.close();
  }
}

async function readPairs(
  file: SafetensorsFile,
  config: AdapterConfig,
  publishedName: (module: string) => string,
): Promise<Map<string, LoraPair>> {
  const modules = new Set<string>();
  for (const name of file.tensors.keys()) {
    const module = namePattern.exec(name)?.groups?.module;
    if (!module) throw wrongTensor(file.file, name, 'is no factor of a LoRA pair');
    modules.add(module);
  }
  const pairs = new Map<string, LoraPair>();
  for (const module of modules) {
    const [A, B] = [await readFactor(file, tensorName(module, 'A')), await readFactor(file, tensorName(module, 'B'))];
    const rank = patternValue(config.rank_pattern, module) ?? config.r;
    const alpha = patternValue(config.alpha_pattern, module) ?? config.lora_alpha;
    checkRank(file.file, tensorName(module, 'A'), A, 0, rank);
    checkRank(file.file, tensorName(module, 'B'), B, 1, rank);
    pairs.set(publishedName(module), { A, B, scaling: alpha / (config.use_rslora ? Math.sqrt(rank) : rank) });
  }
  return pairs;
}

/** PEFT's `get_pattern_key`: the first key that, as a regular expression, is the end of the module's path. */
function patternValue(pattern: Record<string, number> | null | undefined, module: string): number | undefined {
  return Object.entries(pattern ?? {}).find(([key]) => new RegExp(`^(.*\\.)?(${key})$`).test(module))?.[1];
}

async function readFactor(file: SafetensorsFile, name: string): Promise<AdapterTensor> {
  const shape = file.tensors.get(name)?.shape;
  if (!shape) throw wrongTensor(file.file, name, 'is missing');
  return { shape, data: await file.read(name) };
}

function checkRank(file: string, name: string, { shape }: AdapterTensor, axis: number, rank: number): void {
  if (shape.length === 2 && shape[axis] === rank) return;
  const wanted = axis === 0 ? `[${rank}, inputs]` : `[outputs, ${rank}]`;
  throw wrongTensor(file, name, `has shape [${shape.join(', ')}], the rank in ${configName} asks for ${wanted}`);
}

function wrongTensor(file: string, tensor: string, problem: string): InputError {
  return new InputError({
    file,
    field: tensor,
    problem,
    remedy: `Check that ${configName} and the weights belong together`,
  });
}

/**
 * Writes a LoRA adapter that `PeftModel.from_pretrained` loads: `adapter_model.safetensors` first, then
 * `adapter_config.json`, each whole or not at all. Settings not given are PEFT's defaults.
 *
 * @param adapter.moduleName the path in PEFT for a module's name in the model's files
 */
export async function writeAdapter(
  directory: string,
  adapter: {
    config: Pick<AdapterConfig, 'r' | 'lora_alpha' | 'target_modules'> & Partial<AdapterConfig>;
    tensors: ReadonlyMap<string, Pick<LoraPair, 'A' | 'B'>>;
    moduleName?: (published: string) => string;
  },
): Promise<void> {
  const { r: rank, lora_alpha, lora_dropout = 0, target_modules, ...rest } = adapter.config;
  const { moduleName = (published) => published } = adapter;
  const tensors = [...adapter.tensors].flatMap(([published, { A, B }]) => {
    const module = moduleName(published);
    checkRank(weightsName, tensorName(module, 'A'), A, 0, rank);
    checkRank(weightsName, tensorName(module, 'B'), B, 1, rank);
    return [
      { name: tensorName(module, 'A'), ...A },
      { name: tensorName(module, 'B'), ...B },
    ];
  });
  await writeSafetensors(path.join(directory, weightsName), tensors);
  const config = {
    base_model_name_or_path: null,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    task_type: 'CAUSAL_LM',
    ...rest,
    peft_type: 'LORA',
    r: rank,
    lora_alpha,
    lora_dropout,
    target_modules,
  };
  await writeFileAtomically(path.join(directory, configName), toJson(config));
}

/** Python reads `0` as an integer; PEFT types the dropout as a float. */
function toJson(config: object): string {
  return `${JSON.stringify(config, null, 2).replace(/"lora_dropout": (\d+)(?=,?$)/m, '"lora_dropout": $1.0')}\n`;
}
