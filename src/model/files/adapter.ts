import path from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { writeFileAtomically } from '../../core/write-file.ts';
import {
  type AdapterConfig,
  isSavedWhole,
  type ModuleSettings,
  moduleSettings,
  readAdapterConfig,
} from './adapter-config.ts';
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
  /** alpha / rank, or alpha / √rank where it is rank-stabilized. */
  scaling: number;
  /** Of DoRA, [outputs]: the norms of the rows of weight and update together. */
  magnitude?: AdapterTensor | undefined;
}

/**
 * A LoRA adapter; the keys are module names of the base model as its files have them,
 * `language_model.model.layers.0.self_attn.q_proj`.
 */
export interface Adapter {
  config: AdapterConfig;
  tensors: Map<string, LoraPair>;
  /** Weights and biases that take the place of the base model's, by their names there: those of PEFT's `modules_to_save`. */
  saved: Map<string, AdapterTensor>;
}

const configName = 'adapter_config.json';
const weightsName = 'adapter_model.safetensors';
const prefix = 'base_model.model.';
const tensorName = (module: string, factor: 'A' | 'B') => `${prefix}${module}.lora_${factor}.weight`;
const magnitudeName = (module: string) => `${prefix}${module}.lora_magnitude_vector`;
const namePattern = /^base_model\.model\.(?<module>.+)\.(?:lora_[AB]\.weight|lora_magnitude_vector)$/;

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
  const config = await readAdapterConfig(configFile);
  const settingsOf = moduleSettings(config, configFile);
  const file = await openSafetensors(path.join(directory, weightsName));
  try {
    const whole = [...file.tensors.keys()].filter((name) => isSavedWhole(config, name.slice(prefix.length)));
    const saved = new Map<string, AdapterTensor>();
    for (const name of whole) {
      const published = publishedName(name.slice(prefix.length));
      if (/(^|\.)language_model\./.test(published)) {
        throw wrongTensor(file.file, name, 'is of the language model, which is not replaced whole');
      }
      saved.set(published, await readTensor(file, name));
    }
    for (const name of config.modules_to_save ?? []) {
      if (whole.some((tensor) => isSavedWhole({ modules_to_save: [name] }, tensor.slice(prefix.length)))) continue;
      throw wrongTensor(file.file, name, `is saved whole as ${configName} says, but no tensor of it is there`);
    }
    return {
      config,
      tensors: await readPairs(file, new Set(whole), settingsOf, config.use_dora === true, publishedName),
      saved,
    };
  } finally {
    await file.close();
  }
}

async function readPairs(
  file: SafetensorsFile,
  saved: ReadonlySet<string>,
  settingsOf: (module: string) => ModuleSettings,
  isDecomposed: boolean,
  publishedName: (module: string) => string,
): Promise<Map<string, LoraPair>> {
  const modules = new Set<string>();
  for (const name of file.tensors.keys()) {
    if (saved.has(name)) continue;
    const module = namePattern.exec(name)?.groups?.module;
    if (!module) throw wrongTensor(file.file, name, 'is no factor of a LoRA pair');
    modules.add(module);
  }
  const pairs = new Map<string, LoraPair>();
  for (const module of modules) {
    const [A, B] = [await readTensor(file, tensorName(module, 'A')), await readTensor(file, tensorName(module, 'B'))];
    const settings = settingsOf(module);
    if ('leftOutBy' in settings) {
      throw wrongTensor(file.file, tensorName(module, 'A'), `is of a module that ${settings.leftOutBy} leaves out`);
    }
    const { rank, scaling } = settings;
    checkRank(file.file, tensorName(module, 'A'), A, 0, rank);
    checkRank(file.file, tensorName(module, 'B'), B, 1, rank);
    const magnitude = isDecomposed ? await readTensor(file, magnitudeName(module)) : undefined;
    if (magnitude && (magnitude.shape.length !== 1 || magnitude.shape[0] !== B.shape[0])) {
      throw wrongTensor(
        file.file,
        magnitudeName(module),
        `has shape [${magnitude.shape.join(', ')}], not [${B.shape[0]}]`,
      );
    }
    if (!isDecomposed && file.tensors.has(magnitudeName(module))) {
      throw wrongTensor(file.file, magnitudeName(module), `is of DoRA, and use_dora is not set in ${configName}`);
    }
    pairs.set(publishedName(module), { A, B, scaling, ...(magnitude && { magnitude }) });
  }
  return pairs;
}

async function readTensor(file: SafetensorsFile, name: string): Promise<AdapterTensor> {
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
    tensors: ReadonlyMap<string, Omit<LoraPair, 'scaling'>>;
    saved?: ReadonlyMap<string, AdapterTensor>;
    moduleName?: (published: string) => string;
  },
): Promise<void> {
  const { r: rank, lora_alpha, lora_dropout = 0, target_modules, ...rest } = adapter.config;
  const { moduleName = (published) => published } = adapter;
  const tensors = [...adapter.tensors].flatMap(([published, { A, B, magnitude }]) => {
    const module = moduleName(published);
    checkRank(weightsName, tensorName(module, 'A'), A, 0, rank);
    checkRank(weightsName, tensorName(module, 'B'), B, 1, rank);
    return [
      { name: tensorName(module, 'A'), ...A },
      { name: tensorName(module, 'B'), ...B },
      ...(magnitude ? [{ name: magnitudeName(module), ...magnitude }] : []),
    ];
  });
  const saved = [...(adapter.saved ?? [])].map(([published, tensor]) => ({
    name: `${prefix}${moduleName(published)}`,
    ...tensor,
  }));
  await writeSafetensors(path.join(directory, weightsName), [...tensors, ...saved]);
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
