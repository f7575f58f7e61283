/** What `npm run fuzz` feeds: each parser with a file of the kind that it reads. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { loadConfig } from '../../src/config/load-config.ts';
import { projectFile } from '../../src/core/files.ts';
import { InputError } from '../../src/core/input-error.ts';
import { readAokvqa } from '../../src/datasets/aokvqa.ts';
import { checkImage } from '../../src/datasets/check-images.ts';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import { readWeights } from '../../src/evaluation/bad-cases.ts';
import { readSeedBench } from '../../src/evaluation/benchmarks/seed-bench.ts';
import { parseAnswer } from '../../src/generation/parse-answer.ts';
import { readQuestionTypes } from '../../src/generation/question-types.ts';
import { openSafetensors } from '../../src/model/files/safetensors.ts';
import { readPrice } from '../../src/teacher/prices.ts';
import { readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import { parseTrainerLine } from '../../src/trainer/protocol.ts';

export interface FuzzedParser {
  name: string;
  extension: string;
  /** A file that it takes. */
  sample(): Promise<Buffer>;
  /** Returns, whatever it was given; throws where the parser has a defect. */
  parse(file: string, bytes: Buffer): Promise<void>;
}

const fileSample = (path: string) => () => readFile(projectFile(path));
const textSample = (value: unknown) => async () =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

/** A file's reader may refuse it, by the file's name. */
const ofFile = (read: (file: string) => Promise<unknown>) => async (file: string) => {
  try {
    await read(file);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (!error.message.startsWith(error.file)) throw new Error(`the message does not start with the file: ${error}`);
  }
};

const question = {
  split: 'val',
  image_id: 17,
  question_id: 'a',
  question: 'What color is the cat?',
  choices: ['red', 'blue', 'green', 'black'],
  correct_choice_idx: 1,
  direct_answers: ['blue'],
  difficult_direct_answer: false,
  rationales: ['It is blue.'],
};
const engineSample = {
  image_id: 17,
  raw_instructions: 'Question: …',
  question_type: 'color',
  question: 'Which?',
  choices: ['red', 'blue', 'green', 'black'],
  correct_choice_idx: 1,
  rationales: ['It is blue.'],
};
const answer = [
  'Question: What color is the cat?',
  'Choices: (A) red (B) blue (C) green (D) black',
  'Answer: The answer is (B): blue.',
  'Explanations: The cat is blue.',
].join('\n');
const message = { type: 'progress', step: 1, steps: 10, loss: 1.5 };
const image = (format: 'jpeg' | 'png' | 'webp') => () =>
  sharp({ create: { width: 24, height: 16, channels: 3, background: '#826' } })
    .toFormat(format)
    .toBuffer();

const images = (['jpeg', 'png', 'webp'] as const).map(
  (format): FuzzedParser => ({
    name: format,
    extension: `.${format}`,
    sample: image(format),
    parse: ofFile(checkImage),
  }),
);

export const parsers: FuzzedParser[] = [
  { name: 'config', extension: '.yaml', sample: fileSample('configs/demo.yaml'), parse: ofFile(loadConfig) },
  {
    name: 'question types',
    extension: '.yaml',
    sample: fileSample('configs/question-types.yaml'),
    parse: ofFile(readQuestionTypes),
  },
  {
    name: 'prices',
    extension: '.yaml',
    sample: fileSample('configs/prices.yaml'),
    parse: ofFile((file) => readPrice(file, 'gpt-4', 'online')),
  },
  {
    name: 'prompt',
    extension: '.md',
    sample: fileSample('configs/prompts/generate-v1.md'),
    parse: ofFile((file) => readPromptTemplate(file)),
  },
  {
    name: 'safetensors',
    extension: '.safetensors',
    sample: async () => (await readFile(projectFile('test/fixtures/tiny-blip2/model.safetensors'))).subarray(0, 20_000),
    parse: ofFile(async (file) => (await openSafetensors(file)).close()),
  },
  { name: 'A-OKVQA', extension: '.json', sample: textSample([question]), parse: ofFile(readAokvqa) },
  { name: 'engine data', extension: '.json', sample: textSample([engineSample]), parse: ofFile(readEngineData) },
  { name: 'weights', extension: '.json', sample: textSample({ color: 0.5, count: 1 }), parse: ofFile(readWeights) },
  {
    name: 'SEED-Bench',
    extension: '.json',
    sample: textSample({ question_type: { 'Scene Understanding': 1 }, questions: [] }),
    parse: ofFile(readSeedBench),
  },
  ...images,
  {
    name: 'answer',
    extension: '.txt',
    sample: textSample(answer),
    parse: async (_, bytes) => void parseAnswer(bytes.toString('utf8')),
  },
  {
    name: 'trainer line',
    extension: '.txt',
    sample: textSample(message),
    parse: async (_, bytes) => void parseTrainerLine(bytes.toString('utf8')),
  },
];
