/** The tensors of a downloaded checkpoint, whatever file format it came in. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { fileExists } from '../../../../core/files.ts';
import { InputError } from '../../../../core/input-error.ts';
import { joinInside } from '../../../../core/inside.ts';
import { readJson } from '../../../../core/read-json.ts';
import { openSafetensors } from '../../../files/safetensors.ts';
import { mostBytesOfIndex } from '../../../files/tensor-directory.ts';
import { openPickle } from './pickle.ts';
import type { SourceTensor, TensorSource } from './source-tensor.ts';

/** Finds the Python that reads pickles; called only when there is one to read. */
export type FindPython = () => Promise<string>;

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });
const indices = ['model.safetensors.index.json', 'pytorch_model.bin.index.json'];
const singles = ['model.safetensors', 'pytorch_model.bin'];

/**
 * Opens a file (`.safetensors`, or a pickle: `.pth`, `.pt`, `.bin`), or a directory in Hugging Face's layout, whose
 * weights may be sharded; safetensors are taken where both are there, and a single file before an index, as transformers does.
 *
 * @throws InputError naming the file that is missing, damaged, or lacks a tensor that the index says it has
 */
export async function openTensorSource(place: string, python: FindPython): Promise<TensorSource> {
  const shardOfTensor = (await isDirectory(place)) ? await shardsIn(place) : undefined;
  const files = shardOfTensor ? [...new Set(shardOfTensor.files)] : [place];
  const opened: TensorSource[] = [];
  const close = async () => {
    await Promise.all(opened.map((source) => source.close()));
  };
  try {
    for (const file of files) opened.push(await openFile(file, python));
    const tensors = new Map(opened.flatMap((source) => [...source.tensors]));
    for (const [name, file] of shardOfTensor?.byName ?? []) {
      if (tensors.get(name)?.file === file) continue;
      throw new InputError({
        file,
        field: name,
        problem: 'is missing, though the index says it is here',
        remedy: 'Download the file again',
      });
    }
    return { place, tensors, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openFile(file: string, python: FindPython): Promise<TensorSource> {
  if (!file.endsWith('.safetensors')) return openPickle(file, await python());
  const opened = await openSafetensors(file);
  const tensors = [...opened.tensors.values()].map(({ name, shape }): [string, SourceTensor] => [
    name,
    { file, name, shape, read: () => opened.read(name) },
  ]);
  return { place: file, tensors: new Map(tensors), close: opened.close };
}

async function shardsIn(directory: string): Promise<{ files: string[]; byName?: Map<string, string> }> {
  for (const [kind, index] of indices.entries()) {
    const single = path.join(directory, singles[kind] as string);
    if (await fileExists(single)) return { files: [single] };
    if (await fileExists(path.join(directory, index))) {
      const { weight_map: names } = await readJson(path.join(directory, index), indexSchema, {
        mostBytes: mostBytesOfIndex,
      });
      const byName = new Map(Object.entries(names).map(([name, file]) => [name, joinInside(directory, file, index)]));
      return { files: [...byName.values()], byName };
    }
  }
  throw new InputError({
    file: directory,
    problem: `has neither ${[...singles, ...indices].join(' nor ')}`,
    remedy: 'Give the directory that the weights were downloaded to',
  });
}

async function isDirectory(place: string): Promise<boolean> {
  const found = await stat(place).catch(() => undefined);
  if (found) return found.isDirectory();
  throw new InputError({ file: place, problem: 'no such file or directory', remedy: 'Check the path' });
}
