import { createHash } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { fileExists } from '../../core/files.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { readJson } from '../../core/read-json.ts';
import { openSafetensors, type SafetensorsFile } from './safetensors.ts';
import type { TensorDtype, TensorInfo } from './safetensors-header.ts';

/** The tensors of a model in safetensors files: names in memory, values on disk until read. */
export interface TensorDirectory {
  directory: string;
  /** SHA-256 over names, shapes and bytes of all tensors: the same wherever the model is, sharded or not. */
  weightsHash: string;
  /** Every tensor of the model, in the order in which they are used. */
  shapes: ReadonlyMap<string, readonly number[]>;
  /** The names of `shapes`. */
  names(): string[];
  read(name: string): Promise<{ shape: number[]; data: Float32Array }>;
  /** A tensor's bytes as they are in its file, in pieces. */
  readBytes(name: string): AsyncIterable<Uint8Array>;
  /** The number format of a tensor in its file. */
  dtypeOf(name: string): TensorDtype;
  /** The weight files that hold tensors of the model and nothing else, each under its own name. */
  files: readonly WeightFile[];
  close(): Promise<void>;
}

/** A file of weights, and the tensors in it. */
export interface WeightFile {
  file: string;
  names: readonly string[];
  /** Of all tensors. */
  bytes: number;
}

/** What the files of a directory must and may hold. */
export interface TensorExpectation {
  /** By their published names. May depend on what the files hold. */
  shapes:
    | ReadonlyMap<string, readonly number[]>
    | ((found: FoundTensors) => Promise<ReadonlyMap<string, readonly number[]>>);
  /** The name in `shapes` for a name in a file. */
  publishedName?(name: string): string;
  /** Tensors, by their published names, that may be there and are not read. */
  ignored: readonly RegExp[];
}

/** The tensors in a directory's files, by their published names. */
export interface FoundTensors {
  has(name: string): boolean;
  /** Whether two that are there have the same shape and values. */
  areEqual(one: string, other: string): Promise<boolean>;
  /** Has a tensor found under another name. */
  rename(from: string, to: string): void;
}

/** An entry for each tensor: the largest models have some hundred thousand. */
export const mostBytesOfIndex = 128 * 1024 * 1024;
const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * Opens `model.safetensors` or, without one, the shards that `model.safetensors.index.json` names.
 *
 * @throws InputError naming the file and the tensor that is missing, unexpected or of another shape than
 *   expected, and for whatever `openSafetensors` refuses.
 */
export async function openTensors(directory: string, expectation: TensorExpectation): Promise<TensorDirectory> {
  const { publishedName = (name) => name, ignored } = expectation;
  const { places, opened } = await openWeights(directory, publishedName);
  const close = async () => {
    await Promise.all(opened.map((file) => file.close()));
  };
  try {
    const { shapes: expected } = expectation;
    const shapes = typeof expected === 'function' ? await expected(foundTensors(places)) : expected;
    checkTensors({ shapes, ignored }, places, directory);
    const names = [...shapes.keys()];
    const placeOf = (name: string): Place => {
      const place = places.get(name);
      if (!place) throw new Error(`${directory}: the model has no tensor ${name}`);
      return place;
    };
    const infoOf = (name: string) => infoAt(placeOf(name));
    return {
      directory,
      weightsHash: await hashTensors(names, places),
      shapes,
      names: () => names,
      read: async (name) => {
        const { file, nameThere } = placeOf(name);
        return { shape: infoOf(name).shape, data: await file.read(nameThere) };
      },
      readBytes: (name) => placeOf(name).file.readBytes(placeOf(name).nameThere),
      dtypeOf: (name) => infoOf(name).dtype,
      files: opened.flatMap((file) => wholeFile(file, shapes, places)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where a tensor is, and its name there. */
interface Place {
  file: SafetensorsFile;
  nameThere: string;
}

function infoAt({ file, nameThere }: Place): TensorInfo {
  return file.tensors.get(nameThere) as TensorInfo;
}

/** None where the file has a tensor that is not of the model, or is of it under another name, or in another file too. */
function wholeFile(
  file: SafetensorsFile,
  shapes: ReadonlyMap<string, unknown>,
  places: Map<string, Place>,
): WeightFile[] {
  const names = [...file.tensors.keys()];
  const isWhole = names.every((name) => {
    const place = places.get(name);
    return shapes.has(name) && place?.file === file && place.nameThere === name;
  });
  const bytes = [...file.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return isWhole ? [{ file: file.file, names, bytes }] : [];
}

async function openWeights(
  directory: string,
  publishedName: (name: string) => string,
): Promise<{ places: Map<string, Place>; opened: SafetensorsFile[] }> {
  const single = path.join(directory, 'model.safetensors');
  const index = path.join(directory, 'model.safetensors.index.json');
  // Where both are there, transformers takes the single file.
  if ((await fileExists(single)) || !(await fileExists(index))) {
    const file = await openSafetensors(single);
    const places = new Map(
      [...file.tensors.keys()].map((nameThere) => [publishedName(nameThere), { file, nameThere }]),
    );
    return { places, opened: [file] };
  }
  const { weight_map: shardOfTensor } = await readJson(index, indexSchema, { mostBytes: mostBytesOfIndex });
  const shards = new Map<string, SafetensorsFile>();
  try {
    for (const shard of new Set(Object.values(shardOfTensor))) {
      if (shard !== path.basename(shard)) {
        throw new InputError({
          file: index,
          field: shard,
          problem: 'leads out of the directory',
          remedy: 'Correct the index',
        });
      }
      shards.set(shard, await openSafetensors(joinInside(directory, shard, index)));
    }
    const places = new Map<string, Place>();
    for (const [name, shard] of Object.entries(shardOfTensor)) {
      const file = shards.get(shard) as SafetensorsFile;
      if (!file.tensors.has(name)) throw wrongTensor(file.file, name, 'is missing, though the index says it is here');
      places.set(publishedName(name), { file, nameThere: name });
    }
    return { places, opened: [...shards.values()] };
  } catch (error) {
    await Promise.all([...shards.values()].map((file) => file.close()));
    throw error;
  }
}

function foundTensors(places: Map<string, Place>): FoundTensors {
  const placeOf = (name: string) => places.get(name) as Place;
  return {
    has: (name) => places.has(name),
    areEqual: (one, other) => areEqual(placeOf(one), placeOf(other)),
    rename: (from, to) => {
      places.set(to, placeOf(from));
      places.delete(from);
    },
  };
}

async function areEqual(one: Place, other: Place): Promise<boolean> {
  const [first, second] = [infoAt(one), infoAt(other)];
  if (first.shape.join() !== second.shape.join()) return false;
  if (first.dtype !== second.dtype) {
    const values = await one.file.read(one.nameThere);
    const others = await other.file.read(other.nameThere);
    return values.every((value, place) => value === others[place]);
  }
  // Of the same length, so that the pieces are.
  const pieces = other.file.readBytes(other.nameThere);
  for await (const piece of one.file.readBytes(one.nameThere)) {
    const { value } = await pieces.next();
    if (!value || Buffer.compare(piece, value) !== 0) return false;
  }
  return true;
}

function checkTensors(
  { shapes, ignored }: { shapes: ReadonlyMap<string, readonly number[]>; ignored: readonly RegExp[] },
  places: Map<string, Place>,
  directory: string,
): void {
  const anyFile = places.values().next().value?.file.file ?? path.join(directory, 'model.safetensors');
  for (const [name, shape] of shapes) {
    const place = places.get(name);
    if (!place) throw wrongTensor(anyFile, name, 'is missing');
    const found = infoAt(place).shape;
    if (found.join() !== shape.join()) {
      const problem = `has shape [${found.join(', ')}], the config says [${shape.join(', ')}]`;
      throw wrongTensor(place.file.file, place.nameThere, problem);
    }
  }
  for (const [name, { file, nameThere }] of places) {
    if (!shapes.has(name) && !ignored.some((pattern) => pattern.test(name))) {
      throw wrongTensor(file.file, nameThere, 'is no tensor of the model in config.json');
    }
  }
}

function wrongTensor(file: string, tensor: string, problem: string): InputError {
  return new InputError({
    file,
    field: tensor,
    problem,
    remedy: 'Check that config.json and the weights belong together',
  });
}

async function hashTensors(names: readonly string[], places: Map<string, Place>): Promise<string> {
  const hash = createHash('sha256');
  for (const name of names) {
    const place = places.get(name) as Place;
    const { file, nameThere } = place;
    const { dtype, shape } = infoAt(place);
    hash.update(JSON.stringify([name, dtype, shape]));
    for await (const piece of file.readBytes(nameThere)) hash.update(piece);
  }
  return hash.digest('hex');
}
