/** Reads records as the dataset `conversations` does. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conversations } from '../../src/datasets/conversations.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import type { TrainFileSettings, TrainRecord } from '../../src/datasets/train-dataset.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

export async function read(content: string | object[], settings: TrainFileSettings = {}) {
  const folder = await temporaryFolder();
  const path = join(folder, 'file');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return readPath(path, settings);
}

export async function readPath(path: string, settings: TrainFileSettings = {}) {
  const extractedImages = join(await temporaryFolder(), 'extracted');
  const records: TrainRecord[] = [];
  const leftOut: string[] = [];
  const source = { name: 'mine', path, images: imageFolder('/pictures'), extractedImages, settings };
  for await (const record of conversations.read(source, (reason) => leftOut.push(reason))) records.push(record);
  return { records, leftOut, extractedImages };
}

export const exchange = (question: string, answer: string) => [
  { from: 'human', value: question },
  { from: 'gpt', value: answer },
];
export const messages = (question: unknown, answer: unknown) => [
  { role: 'user', content: question },
  { role: 'assistant', content: answer },
];
