/** Writes text after prompts with a model directory of any family, or with a LLaMA without vision. */
import path from 'node:path';
import { z } from 'zod';
import type { OpenSettings } from '../../core/images/open-image.ts';
import { InputError } from '../../core/input-error.ts';
import { readSettings } from '../../core/read-json.ts';
import { listedQuestion } from '../../datasets/question-text.ts';
import { type GeneratedText, type GenerationRequest, traceGenerator } from '../../model/decoding/generate.ts';
import type { DecodingSettings } from '../../model/decoding/settings.ts';
import { readEndTokens } from '../../model/files/generation-config.ts';
import { readLlamaDirectory } from '../../model/files/llama.ts';
import { type ModelDirectory, readModelDirectory } from '../../model/files/model-directory.ts';
import type { TensorDirectory } from '../../model/files/tensor-directory.ts';
import type { ProductType } from '../../model/ops/ops.ts';
import { Program, type WeightDtype } from '../../model/ops/program.ts';
import { specialIds } from '../../model/text/special-ids.ts';
import { loadTokenizer, type Tokenizer } from '../../model/text/tokenizer.ts';
import { imagesOfQuestion, type ShownImages } from '../job-files.ts';
import { inBatches } from './batch.ts';
import { imagesOfBatch } from './evaluate/question-images.ts';
import { frozenWeights, loadWeights } from './frozen-weights.ts';
import { promptIds, promptOf, promptSettings } from './sequence.ts';
import { imageFeatures } from './vision/image-features.ts';

export interface TextRequest extends ShownImages {
  /** Random numbers depend on it. */
  id: string;
  /** A question; for a language model without vision, the text to continue. */
  prompt: string;
  /** The prompt already has the words around the question, and a mark for each image that it shows. */
  isRaw?: boolean;
}

/** End tokens are the model's own; the default stop string is its family's end mark. */
export type TextSettings = Omit<DecodingSettings, 'endTokens'>;

/**
 * Answers the requests, in their order.
 *
 * @throws InputError for a model or image that can't be used, or an image given to a model without vision
 */
export async function generateTexts(
  directory: string,
  requests: readonly TextRequest[],
  settings: TextSettings,
  { batchSize = 8, ...rest }: GenerateOptions = {},
): Promise<GeneratedText[]> {
  const { model_type } = await readSettings(
    path.join(directory, 'config.json'),
    z.looseObject({ model_type: z.string() }),
  );
  return model_type === 'llama'
    ? continueTexts(directory, requests, settings, { batchSize, ...rest })
    : answerAboutImages(directory, requests, settings, { batchSize, ...rest });
}

export interface GenerateOptions extends OpenSettings {
  /** Default 8. */
  batchSize?: number;
  /** What matrix products by weights are computed in; default float32. */
  productType?: ProductType | undefined;
  /** What the matrices of the language model are kept as; default float32. */
  weightDtype?: WeightDtype | undefined;
  signal?: AbortSignal | undefined;
  /** Called after every batch with the number of requests done. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  /** Given the texts of every batch, each with the id of its request, before the next one starts. */
  onTexts?: ((texts: { id: string; text: string }[]) => Promise<void>) | undefined;
}

type Options = GenerateOptions & { batchSize: number };

async function continueTexts(
  directory: string,
  requests: readonly TextRequest[],
  settings: TextSettings,
  options: Options,
): Promise<GeneratedText[]> {
  if (requests.some(({ image }) => image !== undefined)) {
    throw new InputError({
      file: directory,
      problem: 'this is a language model without vision',
      remedy: 'Ask it without an image, or name a MiniGPT-4 or LLaVA',
    });
  }
  const model = await readLlamaDirectory(directory);
  try {
    const tokenizer = await loadTokenizer(directory);
    const prompts = await Promise.all(
      requests.map(async ({ id, prompt }) => ({ id, tokenIds: await tokenizer.encodeWhole(prompt), imageStart: -1 })),
    );
    return await generate(model, prompts, tokenizer, settings, { ...options, imageTokens: 0 });
  } finally {
    await model.close();
  }
}

async function answerAboutImages(
  directory: string,
  requests: readonly TextRequest[],
  settings: TextSettings,
  options: Options,
): Promise<GeneratedText[]> {
  const model = await readModelDirectory(directory);
  try {
    const tokenizer = await loadTokenizer(directory);
    const words = promptSettings(model, tokenizer);
    const turn = (question: string, images: number) => promptOf(listedQuestion(question), words, images);
    const prompts = await Promise.all(
      requests.map(async (request) => {
        const { id, prompt, isRaw } = request;
        const images = imagesOfQuestion(request).length;
        const text = isRaw ? prompt : turn(prompt, Math.max(1, images));
        const { ids, imageStart, laterImages } = await promptIds(text, words, Math.max(1, images));
        const shown = imageStart < 0 ? 0 : 1 + (laterImages?.length ?? 0);
        if (shown !== images) throw imageError(directory, shown > images, words.form.imageMark);
        return { id, tokenIds: ids, imageStart, ...(laterImages && { laterImages }) };
      }),
    );
    const stopStrings = settings.stopStrings ?? [words.form.endMark];
    const shown = requests.flatMap(imagesOfQuestion);
    const features = await imageFeatures(model, shown, { exif: options.exif, signal: options.signal });
    const images = (from: number, to: number, count: number) =>
      features.batch(imagesOfBatch(requests.slice(from, to), count));
    try {
      return await generate(
        model,
        prompts,
        tokenizer,
        { ...settings, stopStrings },
        { ...options, imageTokens: words.queries, images },
      );
    } finally {
      features.dispose();
    }
  } finally {
    await model.close();
  }
}

function imageError(directory: string, promptShowsImage: boolean, imageMark: string): InputError {
  return new InputError({
    file: directory,
    problem: promptShowsImage
      ? 'the prompt is about an image, and none is given'
      : 'an image is given, and the prompt shows none',
    remedy: promptShowsImage ? 'Name an image' : `Put ${imageMark} where the image goes`,
  });
}

/** Runs the requests in batches of about the same prompt length. */
async function generate(
  model: TensorDirectory & { config: Pick<ModelDirectory['config'], 'text_config'> },
  requests: readonly GenerationRequest[],
  tokenizer: Tokenizer,
  settings: TextSettings,
  options: Options & { imageTokens: number; images?: (from: number, to: number, count: number) => Float32Array },
): Promise<GeneratedText[]> {
  const { imageTokens, images, signal } = options;
  const text = model.config.text_config;
  const batch = Math.min(options.batchSize, requests.length);
  const endTokens = specialIds(text, tokenizer, await readEndTokens(model.directory)).ends;
  const program = new Program({ productType: options.productType });
  try {
    const promptLengths = requests.map(({ tokenIds }) => tokenIds.length);
    const imageCount = batch + Math.max(0, ...inBatches(requests, batch).map(laterImages));
    const generator = traceGenerator(
      program,
      frozenWeights(program, model, { weightDtype: options.weightDtype, use: 'forward' }),
      model.config,
      tokenizer,
      { ...settings, endTokens },
      { batch, promptLengths, imageTokens, images: imageCount },
    );
    program.load();
    await loadWeights(program, model);
    const texts: GeneratedText[] = [];
    for (let start = 0; start < requests.length; start += batch) {
      signal?.throwIfAborted();
      const shown = images?.(start, start + batch, imageCount);
      const batchRequests = requests.slice(start, start + batch);
      const written = generator.generate(batchRequests, shown);
      texts.push(...written);
      await options.onTexts?.(written.map(({ text }, index) => ({ id: batchRequests[index]?.id ?? '', text })));
      options.onProgress?.(texts.length, requests.length);
      await new Promise(setImmediate);
    }
    return texts;
  } finally {
    program.dispose();
  }
}

function laterImages(requests: readonly GenerationRequest[]): number {
  return requests.reduce((sum, { laterImages = [] }) => sum + laterImages.length, 0);
}
