import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { StorageError, writeFileAtomically } from '../../store/write-file.ts';
import { toConfigJson } from './config-json.ts';
import { expectedTensors } from './expected-tensors.ts';
import type { ModelConfig } from './model-config.ts';
import { type TensorToWrite, writeSafetensors } from './safetensors.ts';

/** What belongs to a model beside config and weights: its tokenizer and its image processor. */
const companions = [
  'added_tokens.json',
  'generation_config.json',
  'merges.txt',
  'preprocessor_config.json',
  'processor_config.json',
  'special_tokens_map.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'vocab.json',
];

/**
 * Writes a model directory in Hugging Face's format, openable with
 * `Blip2ForConditionalGeneration.from_pretrained`. It is put together beside its place and then renamed; in a
 * directory that is there already each file appears whole, `config.json` last, and other files stay.
 *
 * @param input.tensors exactly those of `expectedTensors(config)`, in any order
 * @param input.copyFrom a model directory whose tokenizer and image processor go along
 * @throws Error if a tensor is missing, too many, or of another shape; StorageError for a full disk.
 */
export async function writeModelDirectory(
  directory: string,
  input: {
    config: ModelConfig;
    tensors: Iterable<TensorToWrite>;
    dtype?: 'F32' | 'F16' | 'BF16';
    copyFrom?: string;
  },
): Promise<void> {
  const { config, dtype = 'F32', copyFrom } = input;
  const tensors = [...input.tensors];
  checkComplete(directory, config, tensors);
  const place = path.resolve(directory);
  const temporary = path.join(path.dirname(place), `.${path.basename(place)}.${randomBytes(6).toString('hex')}.tmp`);
  await mkdir(temporary, { recursive: true });
  try {
    await writeSafetensors(path.join(temporary, 'model.safetensors'), tensors, { dtype });
    if (copyFrom) await copyCompanions(copyFrom, temporary);
    await writeFileAtomically(path.join(temporary, 'config.json'), toConfigJson(config, dtype));
    await moveInto(temporary, place);
  } catch (error) {
    // Said with the name that the file was to have: the temporary one is gone.
    if (!(error instanceof StorageError)) throw error;
    throw new StorageError(error.file.replace(temporary, place), error.cause);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function checkComplete(directory: string, config: ModelConfig, tensors: readonly TensorToWrite[]): void {
  const expected = expectedTensors(config);
  for (const { name, shape } of tensors) {
    const wanted = expected.get(name);
    if (!wanted) throw new Error(`${directory}: the model of this config has no tensor ${name}`);
    if (wanted.join() !== shape.join()) {
      throw new Error(`${directory}: ${name} has shape [${shape.join(', ')}], the config says [${wanted.join(', ')}]`);
    }
    expected.delete(name);
  }
  const [missing] = expected.keys();
  if (missing) throw new Error(`${directory}: ${missing} and ${expected.size - 1} other tensors were not given`);
}

async function copyCompanions(from: string, to: string): Promise<void> {
  const there = await readdir(from);
  for (const name of companions.filter((companion) => there.includes(companion))) {
    await writeFileAtomically(path.join(to, name), await readFile(path.join(from, name)));
  }
}

async function moveInto(temporary: string, directory: string): Promise<void> {
  const there = await readdir(directory).catch(() => undefined);
  if (there === undefined) {
    await rename(temporary, directory);
    return;
  }
  for (const name of there.filter(isEarlierShard)) await rm(path.join(directory, name));
  const configLast = (await readdir(temporary)).toSorted(
    (one, other) => Number(one === 'config.json') - Number(other === 'config.json'),
  );
  for (const name of configLast) await rename(path.join(temporary, name), path.join(directory, name));
}

function isEarlierShard(name: string): boolean {
  return name === 'model.safetensors.index.json' || /^model-\d+-of-\d+\.safetensors$/.test(name);
}
