/**
 * Which of the teacher's answers are too long to be trained on, by the model's own tokenizer. Of the model only `config.json`
 * and the tokenizer's files are read, and no TensorFlow: the machines that refine need neither its weights nor a GPU.
 */
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { fileExists } from '../../core/files.ts';
import { hashFile } from '../../core/hash.ts';
import type { EngineSample } from '../../datasets/engine-data.ts';
import { engineTexts } from '../../datasets/engine-data.ts';
import { isRejection, listedAnswers, type Parsed, type Rejection } from '../../generation/filters.ts';
import { type AnswerToRefine, engineSample, readAnswer } from '../../generation/refine.ts';
import { familyOf, promptFormWith } from '../../model/families/index.ts';
import { readModelConfig } from '../../model/files/model-config.ts';
import { BREAK, CUT } from '../../model/text/plain-text.ts';
import { loadTokenizer, type Tokenizer } from '../../model/text/tokenizer.ts';
import { promptOf, promptSettings, trainingSequence } from '../../trainer/jobs/sequence.ts';
import { isBuiltInFamily } from '../base-model.ts';

/** Why a sample is too long; undefined for one that is not. */
export type LengthCheck = (sample: Parsed) => Promise<Rejection | undefined>;

const lengthFiles = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
];

/** What lengths depend on: the limit, and the content of the files that say what a token is. */
export async function lengthInputs({ model, finetune, data, trainer }: Config): Promise<Record<string, unknown>> {
  const files: Record<string, string> = {};
  for (const name of lengthFiles) {
    const file = join(model.path, name);
    if (await fileExists(file)) files[name] = await hashFile(file);
  }
  const { maximumTokens, maximumSequence, tooLong } = finetune;
  const limits = { maximumTokens, maximumSequence, tooLong };
  return { files, trainer, tokenBoundaries: model.tokenBoundaries, ...limits, format: data.format };
}

/**
 * Rejects samples that spell a special token of the model's tokenizer, and those that the trainer would cut
 * (`finetune.maximumTokens`, and for built-in families `maximumSequence`). An explanation may be cut, as in the reference
 * system, unless `finetune.tooLong` is `error`.
 *
 * @throws InputError naming what of the model's config or tokenizer is missing or not supported
 */
export async function lengthCheck(config: Config): Promise<LengthCheck> {
  const { maximumTokens, maximumSequence, tooLong } = config.finetune;
  const { tokensBeyond, plainText } = await limitOf(config);
  const format = config.data.format === 'QMAE' && tooLong === 'error' ? 'QMAE' : 'QMA';
  const instruction = config.data.validation.questions?.instruction;
  const nothing = { image_id: 0, raw_instructions: '', question_type: '' };
  return async (sample) => {
    const { question, answer } = engineTexts(engineSample(nothing, sample, instruction), format);
    for (const text of [sample.question, ...listedAnswers(sample), sample.explanation]) {
      const place = plainText(text).search(breaks);
      if (place >= 0) return { reason: 'chat_mark', detail: text.slice(Math.max(0, place - 31), place + 60).trim() };
    }
    const { beyond, inAll } = await tokensBeyond(question, answer);
    if (beyond > 0) {
      const detail = `${maximumTokens + beyond} tokens; finetune.maximumTokens is ${maximumTokens}`;
      return { reason: 'too_long', detail };
    }
    if (inAll === undefined || inAll <= (maximumSequence ?? inAll)) return undefined;
    const detail = `${inAll} tokens with its image; finetune.maximumSequence is ${maximumSequence}`;
    return { reason: 'too_long', detail };
  };
}

const breaks = new RegExp(`[${BREAK}${CUT}]`, 'u');

interface Limit extends Pick<Tokenizer, 'plainText'> {
  /**
   * How many tokens of a question and its answer are beyond the limit, as the trainer counts them, 0 or less for none; and how
   * many the sample has in all with its image, where that is known here.
   */
  tokensBeyond(question: string, answer: string): Promise<{ beyond: number; inAll?: number }>;
}

async function limitOf(config: Config): Promise<Limit> {
  const { path: directory, tokenBoundaries } = config.model;
  const { maximumTokens } = config.finetune;
  if (!(await isBuiltInFamily(config))) return templateLimit(directory, maximumTokens);
  const model = { directory, config: await readModelConfig(directory) };
  const tokenizer = await loadTokenizer(directory);
  const settings = promptSettings(
    model,
    tokenizer,
    undefined,
    promptFormWith(familyOf(model.config), tokenBoundaries, directory),
  );
  const tokensBeyond = async (question: string, answer: string) => {
    const turn = promptOf(question, settings, 1);
    const { cut, tokenIds } = await trainingSequence(turn, answer, { ...settings, maximumTokens });
    return { beyond: cut, inAll: tokenIds.length };
  };
  return { tokensBeyond, plainText: tokenizer.plainText };
}

/** More than the chat templates of known models put between a question and its answer, and behind it. */
const tokensOfTemplate = 16;

/**
 * For models with a chat template of their own (`trainer: torchrun`), which only Python renders: question and answer, and
 * as many tokens as templates take. So what is kept is never cut, and of two samples near the limit one may be lost. A model
 * without `tokenizer.json` has its tokenizer made by Python too: nothing is rejected.
 */
async function templateLimit(directory: string, maximumTokens: number): Promise<Limit> {
  if (!(await fileExists(join(directory, 'tokenizer.json'))))
    return { tokensBeyond: async () => ({ beyond: 0 }), plainText: (text) => text };
  const { encode, plainText } = await loadTokenizer(directory);
  const tokensBeyond = async (question: string, answer: string) => {
    const [asked, answered] = await Promise.all([encode(plainText(question.trim())), encode(plainText(answer))]);
    return { beyond: asked.length + answered.length + tokensOfTemplate - maximumTokens };
  };
  return { tokensBeyond, plainText };
}

/** Request id → why its sample is too long, or holds a special token. */
export async function findTooLong(
  answers: readonly AnswerToRefine[],
  check: LengthCheck,
): Promise<Map<string, Rejection>> {
  const found = await Promise.all(
    answers.map(async (answer) => {
      const parsed = readAnswer(answer);
      const rejection = isRejection(parsed) ? undefined : await check(parsed);
      return rejection ? [[answer.request_id, rejection] as const] : [];
    }),
  );
  return new Map(found.flat());
}

/**
 * The samples, but where one is too long after its choices were shuffled, which may take a token more, as the teacher wrote
 * it.
 */
export async function fittingSamples(samples: readonly EngineSample[], check: LengthCheck): Promise<EngineSample[]> {
  return Promise.all(
    samples.map(async (sample) => {
      const { question, choices, correct_choice_idx: correctChoiceIndex, rationales } = sample;
      if (correctChoiceIndex === undefined) return sample;
      const [explanation = ''] = rationales;
      const shuffled = { question, choices, correctChoiceIndex, explanation };
      if ((await check(shuffled)) === undefined) return sample;
      const written = readAnswer(sample);
      return isRejection(written) ? sample : engineSample(sample, written);
    }),
  );
}
