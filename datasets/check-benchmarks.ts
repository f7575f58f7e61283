import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { InputError } from '../store/input-error.ts';
import { streamRecords } from './stream-records.ts';

const MMBENCH_COLUMNS = ['index', 'question', 'A', 'B', 'image'];

/**
 * Looks whether a benchmark's folder holds what it should, by presence and shape; its own reader looks closer.
 *
 * @throws InputError naming the file
 */
export async function checkBenchmarkFiles(name: 'MMBench' | 'SEED-Bench', folder: string): Promise<void> {
  const extension = name === 'MMBench' ? '.tsv' : '.json';
  const files = (await readdir(folder)).filter((file) => file.endsWith(extension)).map((file) => join(folder, file));
  if (files.length === 0) {
    throw new InputError({ file: folder, problem: `no such file: *${extension}`, remedy: 'Fetch the benchmark again' });
  }
  for (const file of files) await (name === 'MMBench' ? checkColumns(file) : checkQuestions(file));
}

async function checkColumns(file: string): Promise<void> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    const columns = line.split('\t');
    const missing = MMBENCH_COLUMNS.find((column) => !columns.includes(column));
    lines.close();
    if (missing === undefined) return;
    const problem = 'is not among the columns of the first line';
    throw new InputError({ file, line: 1, field: missing, problem, remedy: 'Fetch the file again' });
  }
  throw new InputError({ file, problem: 'is empty, or was cut short', remedy: 'Fetch the file again' });
}

const questionSchema = z.looseObject({ question: z.string(), answer: z.string() });

async function checkQuestions(file: string): Promise<void> {
  for await (const _ of streamRecords(file, { questions: questionSchema }));
}
