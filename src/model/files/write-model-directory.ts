import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { joinInside } from '../../core/inside.ts';
import { linkOrCopy, StorageError, writeFileAtomically, writeJson } from '../../core/write-file.ts';
import { familyOf, type ModelConfig } from '../families/index.ts';
import { copyCompanionFiles } from './companion-files.ts';
import { toConfigJson } from './model-config.ts';
import { type TensorToWrite, writeSafetensors } from './safetensors.ts';
import { bytesPerValue, valueCount, type WeightFormat } from './safetensors-header.ts';
import type { WeightFile } from './tensor-directory.ts';

const INDEX = 'model.safetensors.index.json';
/** As large as `transformers` makes its shards. */
const MAXIMUM_SHARD_BYTES = 5e9;

/**
 * Writes a model directory in Hugging Face's format, openable with
 * `Blip2ForConditionalGeneration.from_pretrained`. It is put together beside its place and then renamed; in a
 * directory that is there already each file appears whole, `config.json` last, and other files stay.
 *
 * @param input.tensors with those of `unchanged` exactly those of `familyOf(config).expectedTensors()`, in any order
 * @param input.unchanged weight files of another model directory that belong into this one as they are: they are linked, or
 *   copied where the disks have no links
 * @param input.dtype of `config.json`, and of tensors that name none
 * @param input.copyFrom a model directory whose companion files go along: tokenizer, image processor, chat templates
 * @param input.files other files that belong there, by name; they go before those of `copyFrom`
 * @param input.maximumShardBytes a larger model is cut into shards, with an index
 * @throws Error if a tensor is missing, too many, or of another shape; StorageError for a full disk.
 */
export async function writeModelDirectory(
  directory: string,
  input: {
    config: ModelConfig;
    tensors: Iterable<TensorToWrite>;
    unchanged?: readonly WeightFile[];
    dtype?: WeightFormat;
    copyFrom?: string;
    files?: Record<string, string | Uint8Array>;
    maximumShardBytes?: number;
  },
): Promise<void> {
  const {
    config,
    dtype = 'F32',
    unchanged = [],
    copyFrom,
    files = {},
    maximumShardBytes = MAXIMUM_SHARD_BYTES,
  } = input;
  const tensors = [...input.tensors];
  checkComplete(directory, config, tensors, unchanged);
  const place = path.resolve(directory);
  const temporary = path.join(path.dirname(place), `.${path.basename(place)}.${randomBytes(6).toString('hex')}.tmp`);
  await mkdir(temporary, { recursive: true });
  try {
    await writeWeights(temporary, [...shardsOf(tensors, dtype, maximumShardBytes), ...unchanged], dtype);
    if (copyFrom) await copyCompanionFiles(copyFrom, temporary);
    for (const [name, content] of Object.entries(files)) {
      await writeFileAtomically(joinInside(temporary, name), content);
    }
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

function checkComplete(
  directory: string,
  config: ModelConfig,
  tensors: readonly TensorToWrite[],
  unchanged: readonly WeightFile[],
): void {
  const expected = familyOf(config).expectedTensors();
  for (const name of unchanged.flatMap(({ names }) => names)) expected.delete(name);
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

/** Tensors of one file that is to be written. */
interface Shard {
  tensors: TensorToWrite[];
  bytes: number;
}

/** Shards that hold as many tensors as go into one. */
function shardsOf(tensors: readonly TensorToWrite[], dtype: WeightFormat, maximumShardBytes: number): Shard[] {
  const shards: Shard[] = [];
  for (const tensor of tensors) {
    const bytes = valueCount(tensor.shape) * bytesPerValue[tensor.dtype ?? dtype];
    const open = shards.at(-1);
    if (open && open.bytes + bytes <= maximumShardBytes) {
      open.tensors.push(tensor);
      open.bytes += bytes;
    } else shards.push({ tensors: [tensor], bytes });
  }
  // Wider numbers come first, so that each is where readers that map the file may have its type.
  const width = (tensor: TensorToWrite) => bytesPerValue[tensor.dtype ?? dtype];
  return shards.map(({ tensors, bytes }) => ({
    tensors: tensors.toSorted((one, other) => width(other) - width(one)),
    bytes,
  }));
}

/** `model.safetensors`, or several files and their index. */
async function writeWeights(
  directory: string,
  shards: readonly (Shard | WeightFile)[],
  dtype: WeightFormat,
): Promise<void> {
  const number = (value: number) => String(value).padStart(5, '0');
  const fileOf = (index: number) =>
    shards.length === 1 ? 'model.safetensors' : `model-${number(index + 1)}-of-${number(shards.length)}.safetensors`;
  for (const [index, shard] of shards.entries()) {
    const file = path.join(directory, fileOf(index));
    if ('file' in shard) await linkOrCopy(shard.file, file);
    else await writeSafetensors(file, shard.tensors, { dtype });
  }
  if (shards.length === 1) return;
  const namesIn = (shard: Shard | WeightFile) =>
    'file' in shard ? shard.names : shard.tensors.map(({ name }) => name);
  await writeJson(path.join(directory, INDEX), {
    metadata: { total_size: shards.reduce((sum, { bytes }) => sum + bytes, 0) },
    weight_map: Object.fromEntries(
      shards.flatMap((shard, index) => namesIn(shard).map((name) => [name, fileOf(index)])),
    ),
  });
}

async function moveInto(temporary: string, directory: string): Promise<void> {
  const there = await readdir(directory).catch(() => undefined);
  if (there === undefined) {
    await rename(temporary, directory);
    return;
  }
  const names = await readdir(temporary);
  for (const name of there) if (isWeights(name) && !names.includes(name)) await rm(path.join(directory, name));
  const configLast = names.toSorted((one, other) => Number(one === 'config.json') - Number(other === 'config.json'));
  for (const name of configLast) await replace(path.join(temporary, name), path.join(directory, name));
}

/** The paths of all files in a model directory, relative to it, sorted. */
export async function modelFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => path.relative(directory, path.join(parentPath, name))).toSorted();
}

/** Moves a file or folder to where another may be: a folder can't be renamed onto one that holds something. */
export async function replace(from: string, to: string): Promise<void> {
  const isFolder = await stat(to)
    .then((found) => found.isDirectory())
    .catch(() => false);
  if (isFolder) await rm(to, { recursive: true });
  await rename(from, to);
}

function isWeights(name: string): boolean {
  return name === INDEX || /^model(-\d+-of-\d+)?\.safetensors$/.test(name);
}
