import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../core/input-error.ts';
import { checkMmbench } from './mmbench.ts';
import { readSeedBench } from './seed-bench.ts';

const benchmarks = {
  MMBench: { extension: '.tsv', read: checkMmbench },
  'SEED-Bench': { extension: '.json', read: readSeedBench },
} as const;

/**
 * Looks whether a benchmark's folder holds its files, and reads each as an evaluation would.
 *
 * @throws InputError naming the file, and line or field of what is wrong in it
 */
export async function checkBenchmarkFiles(name: keyof typeof benchmarks, folder: string): Promise<void> {
  const { extension, read } = benchmarks[name];
  const files = (await readdir(folder)).filter((file) => file.endsWith(extension)).sort();
  if (files.length === 0) {
    throw new InputError({ file: folder, problem: `no such file: *${extension}`, remedy: 'Fetch the benchmark again' });
  }
  for (const file of files) await read(join(folder, file));
}
