/** What `npm run fuzz` feeds: each parser with a file of the kind that it reads. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import sharp from 'sharp';
import { z } from 'zod';
import { loadConfig } from '../../src/config/load-config.ts';
import { projectFile } from '../../src/core/files.ts';
import { InputError } from '../../src/core/input-error.ts';
import { loadWorkerSettings, workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { readAokvqa } from '../../src/datasets/aokvqa.ts';
import { readCcSbuAlign } from '../../src/datasets/cc-sbu-align.ts';
import { checkImage } from '../../src/datasets/check-images.ts';
import { readEngineData } from '../../src/datasets/engine-data.ts';
import { streamRecords } from '../../src/datasets/stream-records.ts';
import { readWeights } from '../../src/evaluation/bad-cases.ts';
import { checkMmbench } from '../../src/evaluation/benchmarks/mmbench-file.ts';
import { readSeedBench } from '../../src/evaluation/benchmarks/seed-bench.ts';
import { extractChoice } from '../../src/evaluation/extract-choice.ts';
import { readProposedTypes } from '../../src/generation/discover-types.ts';
import { parseAnswer } from '../../src/generation/parse-answer.ts';
import { asThreeParts, parseShortAnswer } from '../../src/generation/parse-short-answer.ts';
import { questionTypeSchema } from '../../src/generation/question-type.ts';
import { readQuestionTypes } from '../../src/generation/question-types.ts';
import { readChosenLetter } from '../../src/generation/verification.ts';
import { moduleSettings, readAdapterConfig } from '../../src/model/files/adapter-config.ts';
import { readEndTokens } from '../../src/model/files/generation-config.ts';
import { readModelConfig } from '../../src/model/files/model-config.ts';
import { readModelDirectory } from '../../src/model/files/model-directory.ts';
import { openSafetensors } from '../../src/model/files/safetensors.ts';
import { readPreprocessorConfig } from '../../src/model/images/processor-config.ts';
import { loadTokenizer } from '../../src/model/text/tokenizer.ts';
import { countTokens } from '../../src/teacher/count-tokens.ts';
import { readPrice } from '../../src/teacher/prices.ts';
import { readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import { readCompletion } from '../../src/teacher/read-completion.ts';
import { errorOfStatus } from '../../src/teacher/read-error.ts';
import { TeacherError } from '../../src/teacher/teacher-error.ts';
import { parseTrainerLine } from '../../src/trainer/protocol.ts';
import { bytesLike, damagedJsonText } from './arbitraries.ts';
import { engineSample } from './samples.ts';
import { type FuzzTarget, fuzzTarget } from './target.ts';

export interface FuzzedParser {
  name: string;
  /** Of the file, in a folder of its own. */
  file: string;
  /** A file that it takes. */
  sample(): Promise<Buffer>;
  /** Further files of the folder. */
  beside?: Record<string, () => Promise<Buffer>>;
  /** Returns, whatever it was given; throws where the parser has a defect. */
  parse(file: string, bytes: Buffer): Promise<unknown>;
}

const fileSample = (path: string) => () => readFile(projectFile(path));
const textSample = (value: unknown) => async () =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

/** A file's reader may refuse it, by the file's name; or another of its folder, where they contradict each other. */
export const ofFile = (read: (file: string) => Promise<unknown>) => async (file: string) => {
  try {
    await read(file);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (!error.message.startsWith(error.file)) throw new Error(`the message does not start with the file: ${error}`);
  }
};
const ofFolder = (read: (folder: string) => Promise<unknown>) => ofFile((file) => read(dirname(file)));

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

const imageParsers = (['jpeg', 'png', 'webp'] as const).map(
  (format): FuzzedParser => ({
    name: format,
    file: `image.${format}`,
    sample: image(format),
    parse: ofFile(checkImage),
  }),
);

const llava = 'test/fixtures/tiny-llava';
const weights = { 'model.safetensors': fileSample(`${llava}/model.safetensors`) };
const tokenizerFile = fileSample('test/fixtures/tokenizer/learned.json');
const tokenizerConfig = {
  tokenizer_class: 'LlamaTokenizer',
  bos_token: '<s>',
  eos_token: { content: '</s>', lstrip: false, normalized: true, rstrip: false, single_word: false },
  unk_token: '<unk>',
  add_bos_token: true,
  add_eos_token: false,
  model_max_length: 2048,
  added_tokens_decoder: { 0: { content: '<unk>', special: true } },
};
const settings = { configs: ['configs'], secrets: [{ variable: 'KEY', hosts: ['api.example.com'] }], umask: '027' };
const mmbench = async () =>
  (await readFile(projectFile('test/fixtures/mmbench/mmbench_20_questions_65_rows.tsv'))).subarray(0, 4000);
const cocoFile = {
  info: { year: 2017 },
  images: [{ id: 1, file_name: 'a.jpg', width: 4, height: 3 }],
  annotations: [{ id: 5, image_id: 1, category_id: 2, bbox: [0, 0.5, 1e1, 2], iscrowd: 0 }],
  categories: [{ id: 2, name: 'a "cat" \u00e4', supercategory: 'animal' }],
};
const completion = {
  id: 'x',
  object: 'chat.completion',
  model: 'gpt-4',
  choices: [{ index: 0, message: { role: 'assistant', content: answer, refusal: null }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
};
const errorBody = {
  error: { message: 'too many requests', type: 'requests', code: 'rate_limit_exceeded', param: null },
};
const chatBody = { model: 'gpt-4', messages: [{ role: 'user' as const, content: 'Which color?' }] };
const choices = ['red', 'blue', 'a green cat'].map((text, index) => ({ letter: 'ABC'[index] as string, text }));

const parsers: FuzzedParser[] = [
  { name: 'config', file: 'config.yaml', sample: fileSample('configs/demo.yaml'), parse: ofFile(loadConfig) },
  {
    name: 'worker-settings',
    file: 'worker.yaml',
    sample: textSample(settings),
    parse: ofFile((file) => loadWorkerSettings({ [workerSettingsVariable]: file })),
  },
  {
    name: 'question-types',
    file: 'types.yaml',
    sample: fileSample('configs/question-types.yaml'),
    parse: ofFile(readQuestionTypes),
  },
  {
    name: 'prices',
    file: 'prices.yaml',
    sample: fileSample('configs/prices.yaml'),
    parse: ofFile((file) => readPrice(file, 'gpt-4', 'online')),
  },
  {
    name: 'prompt',
    file: 'prompt.md',
    sample: fileSample('configs/prompts/generate-v1.md'),
    parse: ofFile((file) => readPromptTemplate(file)),
  },
  {
    name: 'safetensors',
    file: 'x.safetensors',
    sample: async () => (await readFile(projectFile('test/fixtures/tiny-blip2/model.safetensors'))).subarray(0, 20_000),
    parse: ofFile(async (file) => (await openSafetensors(file)).close()),
  },
  {
    name: 'model-config',
    file: 'config.json',
    sample: fileSample(`${llava}/config.json`),
    parse: ofFolder(readModelConfig),
  },
  {
    name: 'model-directory',
    file: 'config.json',
    sample: fileSample(`${llava}/config.json`),
    beside: weights,
    parse: ofFolder(async (folder) => (await readModelDirectory(folder)).close()),
  },
  {
    name: 'generation-config',
    file: 'generation_config.json',
    sample: fileSample(`${llava}/generation_config.json`),
    beside: { 'config.json': fileSample(`${llava}/config.json`) },
    parse: ofFolder(readEndTokens),
  },
  {
    name: 'processor-config',
    file: 'preprocessor_config.json',
    sample: fileSample(`${llava}/preprocessor_config.json`),
    beside: { 'config.json': fileSample(`${llava}/config.json`) },
    parse: ofFolder(readPreprocessorConfig),
  },
  {
    name: 'adapter-config',
    file: 'adapter_config.json',
    sample: fileSample(`${llava}-adapter/adapter_config.json`),
    parse: ofFile(async (file) =>
      moduleSettings(await readAdapterConfig(file), file)('model.layers.0.self_attn.q_proj'),
    ),
  },
  { name: 'tokenizer', file: 'tokenizer.json', sample: tokenizerFile, parse: ofFolder(useTokenizer) },
  {
    name: 'tokenizer-config',
    file: 'tokenizer_config.json',
    sample: textSample(tokenizerConfig),
    beside: { 'tokenizer.json': tokenizerFile },
    parse: ofFolder(useTokenizer),
  },
  { name: 'aokvqa', file: 'aokvqa.json', sample: textSample([question]), parse: ofFile(readAokvqa) },
  { name: 'engine-data', file: 'data.json', sample: textSample([engineSample]), parse: ofFile(readEngineData) },
  { name: 'weights', file: 'weight.json', sample: textSample({ color: 0.5, count: 1 }), parse: ofFile(readWeights) },
  {
    name: 'seed-bench',
    file: 'seed.json',
    sample: textSample({ question_type: { 'Scene Understanding': 1 }, questions: [] }),
    parse: ofFile(readSeedBench),
  },
  { name: 'mmbench', file: 'mmbench.tsv', sample: mmbench, parse: ofFile((file) => checkMmbench(file)) },
  {
    name: 'cc-sbu-align',
    file: 'filter_cap.json',
    sample: textSample({ annotations: [{ image_id: '2', caption: 'a cat' }] }),
    parse: ofFolder(readCcSbuAlign),
  },
  { name: 'streamed-records', file: 'coco.json', sample: textSample(cocoFile), parse: streamAsJson },
  ...imageParsers,
  {
    name: 'answer',
    file: 'answer.txt',
    sample: textSample(answer),
    parse: async (_, bytes) => parseAnswer(textOf(bytes)),
  },
  {
    name: 'short-answer',
    file: 'answer.txt',
    sample: textSample('Question: How many?\nAnswer: 4.\nExplanations: One counts four.'),
    parse: async (_, bytes) => parseShortAnswer(asThreeParts(textOf(bytes))),
  },
  {
    name: 'chosen-letter',
    file: 'answer.txt',
    sample: textSample('The facts say so.\nAnswer: (B)'),
    parse: async (_, bytes) => [readChosenLetter(textOf(bytes)), extractChoice(textOf(bytes), choices)],
  },
  {
    name: 'proposed-types',
    file: 'answer.txt',
    sample: textSample({ types: [{ name: 'color', title: 'Color', explanation: 'Name a color.' }] }),
    parse: async (_, bytes) => {
      // A list that is written can be read.
      const types = readProposedTypes(textOf(bytes)) ?? [];
      for (const type of types) questionTypeSchema.parse(type);
    },
  },
  {
    name: 'trainer-line',
    file: 'line.txt',
    sample: textSample(message),
    parse: async (_, bytes) => parseTrainerLine(textOf(bytes)),
  },
  {
    name: 'teacher-response',
    file: 'body.json',
    sample: textSample(completion),
    parse: async (_, bytes) => {
      try {
        readCompletion(textOf(bytes), chatBody);
        readCompletion(jsonOr(bytes), chatBody);
      } catch (error) {
        if (!(error instanceof TeacherError)) throw error;
      }
    },
  },
  {
    name: 'teacher-error',
    file: 'body.json',
    sample: textSample(errorBody),
    parse: async (_, bytes) => errorOfStatus(400, jsonOr(bytes)).message.slice(0),
  },
  {
    name: 'count-tokens',
    file: 'text.txt',
    sample: fileSample('configs/prompts/generate-v1.md'),
    parse: async (_, bytes) => {
      const text = textOf(bytes);
      if (countTokens(text) > 2 * Buffer.byteLength(text)) throw new Error('more tokens than bytes');
    },
  },
];

const textOf = (bytes: Buffer) => bytes.toString('utf8');

function jsonOr(bytes: Buffer): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    return textOf(bytes);
  }
}

async function useTokenizer(folder: string): Promise<void> {
  const { encode, decode } = await loadTokenizer(folder);
  decode(await encode('Which color is the cat? äöü 中 \ud83d\ude00'));
}

/** The scanner finds the records that `JSON.parse` finds, and refuses no file that it takes. */
async function streamAsJson(file: string, bytes: Buffer): Promise<void> {
  const found: unknown[] = [];
  const stream = async () => {
    for await (const batch of streamRecords(file, { annotations: z.unknown(), images: z.unknown() })) {
      found.push(...batch.map(({ array, value }) => [array, value]));
    }
  };
  const refused: unknown = await stream().catch((error: unknown) => error);
  if (refused !== undefined && !(refused instanceof InputError)) throw refused;
  const value = jsonOr(bytes);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (refused !== undefined || !isObject) return;
  const { annotations, images } = value as Record<string, unknown>;
  const expected = Object.entries(value)
    .filter(([key]) => key === 'annotations' || key === 'images')
    .flatMap(([array, records]) => (records as unknown[]).map((record) => [array, record]));
  if (!Array.isArray(annotations) || !Array.isArray(images) || !isDeepStrictEqual(found, expected)) {
    throw new Error('the streamed records are not those of JSON.parse');
  }
}

/** The parsers of files, and of texts of the teacher and of the trainer. */
export const parserTargets: FuzzTarget[] = parsers.map(parserTarget);

/** A target that gives a parser its own file with a few parts changed. */
export function parserTarget({ name, file, sample, beside = {}, parse }: FuzzedParser): FuzzTarget {
  return fuzzTarget<Buffer>(name, async (folder) => {
    const content = await sample();
    for (const [other, read] of Object.entries(beside)) await writeFile(join(folder, other), await read());
    const json = jsonOr(content);
    return {
      input: typeof json === 'object' ? fc.oneof(bytesLike(content), damagedJsonText(json)) : bytesLike(content),
      async take(bytes) {
        await writeFile(join(folder, file), bytes);
        await parse(join(folder, file), bytes);
      },
    };
  });
}
