/**
 * A data root of a person's own: images under names of their own in one folder, without captions and boxes, and mixed files of
 * questions about some of them, with choices and with short answers.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { stringify } from 'yaml';
import { projectFile } from '../../src/core/files.ts';
import { writeJsonLines } from '../../src/core/write-file.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { type TinyConfig, tinyConfig } from './tiny-run.ts';

const colors = ['red', 'green', 'blue', 'yellow'];
export const instruction = 'Answer with one word.';

export const imageOf = (number: number) =>
  number % 3 === 0 ? `linie 2/prüfung/teil ${number}.png` : `linie-1/${number}.jpg`;

/** A question with choices about an even image, one with a short answer about an odd one. */
function question(number: number): object {
  const color = colors[number % colors.length] as string;
  const common = { id: `frage ${number}`, image: imageOf(number) };
  if (number % 2 === 0) {
    return { ...common, question: 'What color is the part?', choices: colors, answer: color, question_type: 'color' };
  }
  const answers = [color, `dark ${color}`];
  return { ...common, question: 'What is the color of the part?', answers, question_type: 'color in words' };
}

/** Writes 40 images, questions about 12 to validate and 6 to test, and a config. @returns the config's path */
export async function writeOwnRun(change: (config: object, folder: string) => object = (config) => config) {
  const folder = await temporaryFolder();
  const root = join(folder, 'data');
  for (let number = 0; number < 40; number += 1) {
    const file = join(root, 'photos', imageOf(number));
    await mkdir(dirname(file), { recursive: true });
    const background = colors[number % colors.length] as string;
    // No image is a copy of another one.
    await sharp({ create: { width: 32 + number, height: 24, channels: 3, background } }).toFile(file);
  }
  const numbers = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);
  await writeJsonLines(join(root, 'validation.jsonl'), numbers(0, 12).map(question));
  await writeJsonLines(join(root, 'test.jsonl'), numbers(12, 6).map(question));
  await writeJsonLines(join(root, 'train.jsonl'), numbers(18, 8).map(question));
  const config = ownConfig(tinyConfig(folder));
  const file = join(folder, 'own.yaml');
  await writeFile(file, stringify(change(config, folder)));
  return { folder, root, file };
}

function ownConfig({ data, ...config }: TinyConfig) {
  const questions = { metric: 'exact-match', instruction };
  return {
    ...config,
    data: {
      root: data.root,
      train: [{ dataset: 'questions', file: 'train.jsonl', images: 'photos' }],
      validation: { file: 'validation.jsonl', questions },
      test: { file: 'test.jsonl', questions },
      images: { train: 'photos', validation: 'photos' },
      descriptions: { source: 'image' },
      questionTypes: data.questionTypes,
    },
    teacher: { ...config.teacher, prompt: projectFile('configs/prompts/generate-from-image-v1.md') },
  };
}
