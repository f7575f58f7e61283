/** Runs our model on what a fixture script recorded, and compares. */
import path from 'node:path';
import { expect } from 'vitest';
import { familyOf } from '../../../src/model/families/index.ts';
import { type ModelDirectory, readModelDirectory } from '../../../src/model/files/model-directory.ts';
import { openSafetensors, type SafetensorsFile } from '../../../src/model/files/safetensors.ts';
import type { TensorDirectory } from '../../../src/model/files/tensor-directory.ts';
import { type Computation, dataTypeOf, type Feed, runEagerly } from '../../../src/model/ops/eager-ops.ts';
import { Program } from '../../../src/model/ops/program.ts';
import type { Weights } from '../../../src/model/ops/tape.ts';
import { frozen } from '../../../src/model/ops/tape.ts';
import type { TypedArray } from '../../../src/model/ops/tensorflow.ts';

export const FIXTURES = path.join(import.meta.dirname, '../../fixtures');

/** Runs a computation over weights and inputs, as single operations or as a traced graph. */
export function run(
  how: 'eager' | 'traced',
  computation: Computation,
  feeds: Record<string, Feed>,
): Record<string, TypedArray> {
  if (how === 'eager') return runEagerly(computation, feeds);
  const program = new Program();
  program.define(
    'f',
    Object.fromEntries(
      Object.entries(feeds).map(([name, { data, shape }]) => [name, { shape, dataType: dataTypeOf(data) }]),
    ),
    computation,
  );
  program.load();
  try {
    return program.run('f', Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, data])));
  } finally {
    program.dispose();
  }
}

/** Weights among the inputs of a computation, all of them frozen. */
export function weightsAmong(inputs: Record<string, unknown>): Weights {
  return (name) => frozen(inputs[name] as never);
}

/** Largest difference, over the largest expected value. */
export function relativeDifference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  let difference = 0;
  let scale = 0;
  for (let index = 0; index < wanted.length; index++) {
    const distance = Math.abs((found[index] as number) - (wanted[index] as number));
    // Not a number is as wrong as can be, and `Math.max` with the scale would hide it.
    difference = Math.max(difference, Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance);
    scale = Math.max(scale, Math.abs(wanted[index] as number));
  }
  return difference / scale;
}

/** Every tensor of a directory. */
export async function readFeeds(tensors: TensorDirectory): Promise<Record<string, Feed>> {
  const feeds: Record<string, Feed> = {};
  for (const name of tensors.names()) feeds[name] = await tensors.read(name);
  return feeds;
}

/** A recorded tensor with its shape. */
export async function readFeed(file: SafetensorsFile, name: string): Promise<Feed> {
  return { data: await file.read(name), shape: file.tensors.get(name)?.shape ?? [] };
}

export interface Fixture {
  model: ModelDirectory;
  expected: SafetensorsFile;
  weights: Record<string, Feed>;
  imageTokens: number;
  close(): Promise<void>;
}

/** Opens a model of the fixtures folder and what PyTorch computed with it. */
export async function openFixture(name: string): Promise<Fixture> {
  const model = await readModelDirectory(path.join(FIXTURES, name));
  const expected = await openSafetensors(path.join(FIXTURES, name, 'expected.safetensors'));
  return {
    model,
    expected,
    weights: await readFeeds(model),
    imageTokens: familyOf(model.config).imageTokens,
    close: async () => {
      await Promise.all([model.close(), expected.close()]);
    },
  };
}
