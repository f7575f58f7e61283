/**
 * A MiniGPT-4 with random weights, small enough to train in a second, and a little of the demo domain for it.
 */

import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { drawImages, type SceneImage, writeImages } from '../../demo/scenes/images.ts';
import { type QuestionRecord, skewedQuestions } from '../../demo/scenes/question-sets.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { writeJson, writeJsonLines } from '../../src/core/write-file.ts';
import { imageFolder } from '../../src/datasets/image-folder.ts';
import { writeMixture } from '../../src/datasets/mixture.ts';
import { ANSWER_START, answerQma, answerStem, listedQuestion } from '../../src/datasets/question-text.ts';
import { type TrainingSample, trainingSampleSchema } from '../../src/datasets/train-dataset.ts';
import { familyOf, modelConfigSchema } from '../../src/model/families/index.ts';
import { llavaPromptForm } from '../../src/model/families/llava/prompt.ts';
import { miniGpt4PromptForm } from '../../src/model/families/minigpt4/prompt.ts';
import { type PromptForm, questionTurn } from '../../src/model/families/prompt-form.ts';
import { writeModelDirectory } from '../../src/model/files/model-directory.ts';
import { blipProcessorConfig } from '../../src/model/images/processor-config.ts';
import { initialTensor } from '../../src/model/initialize.ts';
import { type TokenizerJson, trainTokenizer, writeTokenizer } from '../../src/model/text/train-tokenizer.ts';
import type { EvaluationQuestion } from '../../src/trainer/job-files.ts';

const IMAGE_SIZE = 32;
const LAYERS = 2;
const VOCABULARY = 420;
const MAXIMUM_POSITIONS = 512;

/** The families that a tiny model can be of, by their prompt form. */
export const tinyPromptForms = { minigpt4: miniGpt4PromptForm, llava: llavaPromptForm };
type TinyFamily = keyof typeof tinyPromptForms;

const layers = { hidden_size: 32, intermediate_size: 64, num_hidden_layers: LAYERS, num_attention_heads: 4 };

/** The `vision_config` of a tiny CLIP. */
export const tinyClip = { ...layers, image_size: IMAGE_SIZE, patch_size: 16 };

/** `config.json` with this `text_config`. */
type TinyConfig = (text_config: object) => object;

const tinyConfigs: Record<TinyFamily, TinyConfig> = {
  llava: (text_config) => ({ model_type: 'llava', image_token_index: 3, vision_config: tinyClip, text_config }),
  minigpt4: (text_config) => ({
    model_type: 'blip-2',
    architectures: ['Blip2ForConditionalGeneration'],
    num_query_tokens: 4,
    image_token_index: 3,
    vision_config: { ...layers, image_size: IMAGE_SIZE, patch_size: 8 },
    qformer_config: { ...layers, cross_attention_frequency: 1, encoder_hidden_size: 32 },
    text_config,
  }),
};

function tinyLlama(hidden: number, vocabulary: number): object {
  return {
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: 2 * hidden,
    num_hidden_layers: LAYERS,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: vocabulary,
    max_position_embeddings: MAXIMUM_POSITIONS,
    tie_word_embeddings: false,
    bos_token_id: 0,
    eos_token_id: 1,
    pad_token_id: 2,
  };
}

/**
 * Writes a whole model directory: weights, tokenizer and preprocessor.
 *
 * @param options.hidden width of the language model
 * @param options.seed of the weights
 * @param options.family MiniGPT-4 or LLaVA-1.5
 * @param options.config of a model of another family
 */
export async function writeTinyModel(
  directory: string,
  {
    hidden = 32,
    seed = 1,
    family = 'minigpt4',
    config = tinyConfigs[family],
  }: { hidden?: number; seed?: number; family?: TinyFamily; config?: TinyConfig } = {},
): Promise<void> {
  const configOf = (vocabulary: number) => modelConfigSchema.parse(config(tinyLlama(hidden, vocabulary)));
  const form = familyOf(configOf(VOCABULARY)).promptForm;
  const tokenizer = withImageMark(trainTokenizer(sentences(form), VOCABULARY), form);
  const parsed = configOf(Object.keys(tokenizer.model.vocab).length);
  const tensors = [...familyOf(parsed).expectedTensors()].map(([name, shape]) => ({
    name,
    shape,
    data: initialTensor(name, shape, seed, LAYERS),
  }));
  await writeModelDirectory(directory, { config: parsed, tensors });
  await writeTokenizer(directory, tokenizer, MAXIMUM_POSITIONS);
  const half = [0.5, 0.5, 0.5];
  await writeJson(path.join(directory, 'preprocessor_config.json'), blipProcessorConfig(IMAGE_SIZE, half, half));
}

function sentences(form: PromptForm): string[] {
  return questionsAbout(sceneImages(40, 'tokenizer')).map(
    (record) =>
      questionTurn(form, promptOf(record), { withImage: true }) +
      form.answerSeparator +
      answerOf(record) +
      form.endMark,
  );
}

/** The image's special token under the name that the prompt form gives it. */
function withImageMark(tokenizer: TokenizerJson, form: PromptForm): TokenizerJson {
  const text = JSON.stringify(tokenizer).replaceAll(miniGpt4PromptForm.imageMark, form.imageMark);
  return JSON.parse(text) as TokenizerJson;
}

function sceneImages(count: number, seed: string | number): SceneImage[] {
  return drawImages(seededRandom(seed), count, 1);
}

function questionsAbout(images: SceneImage[]): QuestionRecord[] {
  return skewedQuestions(images, 2, seededRandom('questions'));
}

const promptOf = ({ question, choices }: QuestionRecord) => listedQuestion(question, choices);
const answerOf = ({ choices, correct_choice_idx }: QuestionRecord) => answerQma(choices, correct_choice_idx);

/** What `writeTinyQuestions` and `writeTinyMixture` wrote. */
export interface TinyQuestions {
  /** In A-OKVQA's format. */
  file: string;
  /** The folder of the images. */
  images: string;
  questions: QuestionRecord[];
  /** The questions as an evaluate job takes them. */
  asked: string;
}

/** Writes images of the demo domain and questions about them, in A-OKVQA's format. */
export async function writeTinyQuestions(folder: string, count = 12): Promise<TinyQuestions> {
  const images = path.join(folder, 'images');
  const scenes = sceneImages(Math.ceil(count / 2), 'images');
  const questions = questionsAbout(scenes).slice(0, count);
  const file = path.join(folder, 'questions.json');
  await mkdir(folder, { recursive: true });
  await writeImages(images, scenes, { seen: new Set() });
  await writeJson(file, questions);
  const asked = path.join(folder, 'asked.jsonl');
  await writeAsked(asked, await Promise.all(questions.map((record) => askedQuestion(record, images))));
  return { file, images, questions, asked };
}

async function askedQuestion(record: QuestionRecord, images: string): Promise<EvaluationQuestion> {
  return {
    question_id: record.question_id,
    image: await imageFolder(images).fileOf(record.image_id),
    question: listedQuestion(record.question, record.choices),
    answerStart: ANSWER_START,
    answers: record.choices.map((_, index) => answerStem(record.choices, index)),
  };
}

/** Writes questions as an evaluate job takes them. */
export function writeAsked(file: string, asked: readonly EvaluationQuestion[]): Promise<void> {
  return writeJsonLines(file, asked);
}

/** Each has an image. */
type TinySample = TrainingSample & { image: string };

export interface TinyMixture extends TinyQuestions {
  /** The lines of `samples.jsonl`. */
  samples: TinySample[];
  /** `samples.jsonl` */
  samplesFile: string;
  /** `order.json` */
  orderFile: string;
}

/**
 * Writes a mixture of questions about images of the demo domain.
 *
 * @param count length of the order: steps times batch size
 */
export async function writeTinyMixture(folder: string, count: number): Promise<TinyMixture> {
  const written = await writeTinyQuestions(folder);
  const samples = written.questions.map(
    (record): TrainingSample => ({
      id: record.question_id,
      source: 'aokvqa',
      image: path.join(written.images, `${String(record.image_id).padStart(12, '0')}.jpg`),
      prompt: promptOf(record),
      answer: answerOf(record),
      questionType: record.question_type,
    }),
  );
  await writeMixture(folder, {
    parts: [
      {
        name: 'aokvqa',
        samples: async function* () {
          yield* samples;
        },
      },
    ],
    seed: 1,
    count,
  });
  const samplesFile = path.join(folder, 'samples.jsonl');
  return {
    ...written,
    samples: (await readJsonLines(samplesFile, trainingSampleSchema)) as TinySample[],
    samplesFile,
    orderFile: path.join(folder, 'order.json'),
  };
}

/**
 * Makes a folder with a tiny MiniGPT-4 and a mixture to train it on. The caller removes the folder.
 *
 * @param count as of `writeTinyMixture`
 */
export async function makeTinyTraining(
  count: number,
): Promise<{ folder: string; model: string; mixture: TinyMixture }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dataengine-'));
  const model = path.join(folder, 'model');
  await writeTinyModel(model);
  return { folder, model, mixture: await writeTinyMixture(path.join(folder, 'mixture'), count) };
}
