/** `config.json` of a model directory. */
import path from 'node:path';
import { z } from 'zod';
import { readSettings } from '../../core/read-json.ts';
import { families, familyOf, type ModelConfig, modelConfigSchema } from '../families/index.ts';
import type { WeightFormat } from './safetensors-header.ts';

/**
 * Reads `config.json` of a model directory. Its `text_config` says whether the config asks for a tied head, at whatever level
 * it does.
 *
 * @throws InputError naming the file and the setting that is missing or not supported.
 */
export async function readModelConfig(directory: string): Promise<ModelConfig> {
  const config = await readSettings(path.join(directory, 'config.json'), modelConfigSchema);
  const { asksForTiedHead } = familyOf(config);
  return { ...config, text_config: { ...config.text_config, tie_word_embeddings: asksForTiedHead } };
}

const builtInSchema = z.looseObject({
  model_type: z.enum(families.map(({ modelType }) => modelType)),
  text_config: z.looseObject({ model_type: z.literal('llama') }),
});

/**
 * Whether the model is of a family that is implemented here, with settings that are supported or not.
 *
 * @throws InputError when the directory has no `config.json`
 */
export async function isOfBuiltInFamily(directory: string): Promise<boolean> {
  const config = await readSettings(path.join(directory, 'config.json'), z.looseObject({ model_type: z.string() }));
  return builtInSchema.safeParse(config).success;
}

/** Number formats as configs name them. */
export const dtypeNames = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;

/** Settings that Python types as `float`: `transformers` 5 refuses `1` there and takes only `1.0`. */
const floats =
  /"(initializer_factor|initializer_range|layer_norm_eps|rms_norm_eps|rope_theta|factor|low_freq_factor|high_freq_factor)": (-?\d+)(?=,?$)/gm;

/**
 * The text of `config.json` as `transformers` 4 and 5 both read it: 4 looks for `torch_dtype`, `rope_theta`
 * and `rope_scaling`, 5 for `dtype` and `rope_parameters`.
 */
export function toConfigJson(config: ModelConfig, dtype: WeightFormat): string {
  const { rope_theta, rope_scaling, ...text } = config.text_config;
  const content = {
    architectures: [familyOf(config).architecture],
    ...config,
    dtype: dtypeNames[dtype],
    torch_dtype: dtypeNames[dtype],
    tie_word_embeddings: text.tie_word_embeddings,
    text_config: {
      ...text,
      rope_theta,
      rope_scaling: rope_scaling ?? null,
      rope_parameters: { rope_type: 'default', ...rope_scaling, rope_theta },
    },
  };
  return `${JSON.stringify(content, null, 2).replace(floats, '"$1": $2.0')}\n`;
}
