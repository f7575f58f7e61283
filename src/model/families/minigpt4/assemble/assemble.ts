/** Puts a MiniGPT-4 model directory together from what people download. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileExists } from '../../../../core/files.ts';
import { describeFirstIssue, InputError } from '../../../../core/input-error.ts';
import { writeModelDirectory } from '../../../files/write-model-directory.ts';
import { blipProcessorConfig } from '../../../images/processor-config.ts';
import { specialIdProblem } from '../../../text/special-ids.ts';
import { familyOf } from '../../index.ts';
import { type Blip2Config, blip2ConfigSchema } from '../config.ts';
import { llamaConfig, visionConfigFrom, visionConfigOf } from './assembled-config.ts';
import { isHuggingFaceLayout, llamaPart, type Parts, projectionPart, tensorError, visionParts } from './parts.ts';
import type { TensorSource } from './source-tensor.ts';
import { type FindPython, openTensorSource } from './tensor-source.ts';
import { assembledTokenizer, generationConfig, withTokenizersIds } from './tokenizer.ts';

export interface AssembleSettings {
  /** LLaMA or Vicuna: a directory with config, tokenizer and weights. */
  llama: string;
  /** BLIP-2: a directory in Hugging Face's layout, or LAVIS's `blip2_pretrained_flant5xxl.pth`. */
  blip2: string;
  /** `eva_vit_g.pth`, where `blip2` has no vision encoder. */
  vision?: string;
  /** MiniGPT-4's stage-1 checkpoint. */
  projection: string;
  output: string;
  dtype: 'F32' | 'F16' | 'BF16';
  /** Larger models are cut into shards of so many bytes. */
  maximumShardBytes?: number;
}

const checkFiles = 'Check that these files belong together';

/**
 * Writes the model directory, one tensor at a time in memory.
 *
 * @param python the Python that reads pickles; not looked for when there are none
 * @returns the tensors written, and where the LLaMA's config and its tokenizer disagree
 * @throws InputError naming file and tensor for one that is missing, not of a MiniGPT-4, or of another shape
 */
export async function assemble(
  settings: AssembleSettings,
  python: FindPython,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<{ tensors: number; config: Blip2Config; problem: string | undefined }> {
  const sources: TensorSource[] = [];
  const open = async (place: string) => {
    const source = await openTensorSource(place, python);
    sources.push(source);
    return source;
  };
  try {
    const text = await llamaConfig(settings.llama);
    const llama = await open(settings.llama);
    const blip2 = await open(settings.blip2);
    const vision = settings.vision === undefined ? undefined : await open(settings.vision);
    const projection = await open(settings.projection);

    const seeing = visionParts(blip2, vision);
    const visionConfig = isHuggingFaceLayout(blip2)
      ? await visionConfigOf(settings.blip2)
      : visionConfigFrom(seeing, (vision ?? blip2).place);
    const { parts: language, isTied } = await llamaPart(llama, text.tie_word_embeddings);
    const text_config = { ...text, tie_word_embeddings: isTied };
    const named = parseConfig({ model_type: 'blip-2', ...visionConfig, text_config }, settings);
    const { tokenizer, made } = await assembledTokenizer(settings.llama, python);
    const config = { ...named, text_config: withTokenizersIds(named.text_config, tokenizer) };
    const parts: Parts = new Map([...seeing, ...projectionPart(projection), ...language]);
    const places = { language_model: llama, language_projection: projection, vision_model: vision ?? blip2 };
    checkParts(config, parts, (name) => places[name.split('.')[0] as keyof typeof places] ?? blip2);

    const names = [...familyOf(config).expectedTensors()];
    let done = 0;
    await writeModelDirectory(settings.output, {
      config,
      dtype: settings.dtype,
      maximumShardBytes: settings.maximumShardBytes,
      copyFrom: settings.llama,
      files: {
        ...(made && { 'tokenizer.json': made }),
        ...(await preprocessorFile(settings.blip2, config)),
        'generation_config.json': json(await generationConfig(settings.llama, config.text_config, tokenizer)),
      },
      tensors: names.map(([name, shape]) => ({
        name,
        shape: [...shape],
        data: async () => {
          const values = await (parts.get(name) as NonNullable<ReturnType<Parts['get']>>).read();
          onProgress(++done, names.length);
          return values;
        },
      })),
    });
    return { tensors: names.length, config, problem: specialIdProblem(named.text_config, tokenizer) };
  } finally {
    await Promise.all(sources.map((source) => source.close()));
  }
}

function parseConfig(config: unknown, { llama, blip2 }: AssembleSettings): Blip2Config {
  const result = blip2ConfigSchema.safeParse(config);
  if (result.success) return result.data;
  const { field, problem } = describeFirstIssue(result.error);
  const file = path.join(field.startsWith('text_config') ? llama : blip2, 'config.json');
  throw new InputError({ file, field, problem, remedy: checkFiles });
}

function checkParts(config: Blip2Config, parts: Parts, placeOf: (name: string) => TensorSource): void {
  const expected = familyOf(config).expectedTensors();
  for (const [name, shape] of expected) {
    const tensor = parts.get(name);
    if (!tensor) {
      throw new InputError({ file: placeOf(name).place, field: name, problem: 'is missing', remedy: checkFiles });
    }
    if (tensor.shape.join() === shape.join()) continue;
    const problem = `has shape [${tensor.shape.join(', ')}], but as ${name} it must have [${shape.join(', ')}]`;
    throw tensorError(tensor, problem, checkFiles);
  }
  for (const [name, tensor] of parts) {
    if (!expected.has(name)) throw tensorError(tensor, 'is not in the model that the config describes', checkFiles);
  }
}

/** BLIP-2's own image processor; MiniGPT-4 uses the same one, at the size that the encoder takes. */
async function preprocessorFile(blip2: string, config: Blip2Config): Promise<Record<string, string | Uint8Array>> {
  const own = path.join(blip2, 'preprocessor_config.json');
  if (await fileExists(own)) return { 'preprocessor_config.json': await readFile(own) };
  const side = config.vision_config.image_size;
  return {
    'preprocessor_config.json': json(
      blipProcessorConfig(side, [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]),
    ),
  };
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
