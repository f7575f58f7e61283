/**
 * What a round trains on: the base datasets of the config and the generated data of all rounds so far.
 */
import { basename, join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { hashFile } from '../core/hash.ts';
import { aokvqaImagePath, readAokvqa } from '../datasets/aokvqa.ts';
import { readCcSbuAlign } from '../datasets/cc-sbu-align.ts';
import { streamEngineData } from '../datasets/engine-data.ts';
import {
  answerQma,
  answerQmae,
  bareQuestions,
  captionTurn,
  humanTurn,
  promptForms,
  type TurnForm,
} from '../datasets/prompt-format.ts';
import type { TrainingSample } from '../datasets/training-sample.ts';
import { familyOf } from '../model/families/index.ts';
import { readModelConfig } from '../model/files/model-config.ts';
import { isOwnFamily } from './base-model.ts';
import { poolImages } from './dataset-paths.ts';
import type { GeneratedData } from './engine-data-files.ts';

export interface MixturePart {
  name: string;
  /** Hash of the file that the samples come from. */
  hash: string;
  sampleRatio?: number;
  samples(): AsyncIterable<TrainingSample>;
}

type TrainPart = Config['data']['train'][number];

/** The parts of a round's mixture, in a fixed order. */
export async function mixtureParts(config: Config, generated: GeneratedData[]): Promise<MixturePart[]> {
  const form = await promptFormOf(config);
  const base = await Promise.all(config.data.train.map((part) => basePart(config, part, form)));
  return [...base, ...generated.map((data) => generatedPart(config, data, form))];
}

async function promptFormOf(config: Config): Promise<TurnForm> {
  if (!(await isOwnFamily(config))) return bareQuestions;
  return promptForms[familyOf(await readModelConfig(config.model.path)).promptForm];
}

/** The file or folder of a base dataset. */
export function trainPartPath({ data }: Config, { dataset, file }: TrainPart): string {
  const defaults = { aokvqa: 'A-OKVQA/aokvqa_v1p0_train.json', cc_sbu_align: 'cc_sbu_align', gptvqa: 'gptvqa' };
  return join(data.root, file ?? defaults[dataset]);
}

/** The image folder of a base dataset. */
export function trainPartImages(config: Config, { images }: TrainPart): string {
  return images === undefined ? poolImages(config) : join(config.data.root, images);
}

async function basePart(config: Config, part: TrainPart, form: TurnForm): Promise<MixturePart> {
  const path = trainPartPath(config, part);
  const { dataset: name, sampleRatio } = part;
  if (name === 'cc_sbu_align') {
    return {
      name,
      sampleRatio,
      hash: await hashFile(join(path, 'filter_cap.json')),
      samples: () => captionSamples(path, form),
    };
  }
  const images = trainPartImages(config, part);
  if (name === 'gptvqa') {
    const own = basename(path, '.json');
    return {
      name: own,
      sampleRatio,
      hash: await hashFile(path),
      samples: () => engineSamples(path, images, own, config.data.format, form),
    };
  }
  return {
    name,
    sampleRatio,
    hash: await hashFile(path),
    samples: () => questionSamples(path, images, config.data.format, form),
  };
}

async function* captionSamples(folder: string, form: TurnForm): AsyncGenerator<TrainingSample> {
  for (const { imageId, caption, image } of await readCcSbuAlign(folder)) {
    yield {
      id: `cc_sbu_align-${imageId}`,
      source: 'cc_sbu_align',
      image,
      prompt: captionTurn(undefined, form),
      answer: caption,
    };
  }
}

async function* questionSamples(
  file: string,
  images: string,
  format: Config['data']['format'],
  form: TurnForm,
): AsyncGenerator<TrainingSample> {
  for (const record of await readAokvqa(file)) {
    const { question_id, image_id, question, choices, correct_choice_idx, rationales, question_type } = record;
    yield {
      id: question_id,
      source: 'aokvqa',
      image: aokvqaImagePath(images, image_id),
      prompt: humanTurn(question, choices, form),
      answer: answerIn(format, choices, correct_choice_idx, rationales),
      questionType: question_type,
    };
  }
}

function generatedPart(config: Config, { round, file, hash }: GeneratedData, form: TurnForm): MixturePart {
  const name = `round${round}`;
  return {
    name,
    hash,
    sampleRatio: config.finetune.generatedSampleRatios?.[round - 1],
    samples: () => engineSamples(file, poolImages(config), name, config.data.format, form),
  };
}

async function* engineSamples(
  file: string,
  images: string,
  source: string,
  format: Config['data']['format'],
  form: TurnForm,
): AsyncGenerator<TrainingSample> {
  let index = 0;
  for await (const record of streamEngineData(file)) {
    const { image_id, question, choices, correct_choice_idx, rationales, question_type } = record;
    yield {
      id: `${source}-${index}`,
      source,
      image: aokvqaImagePath(images, image_id),
      prompt: humanTurn(question, choices, form),
      answer: answerIn(format, choices, correct_choice_idx, rationales),
      questionType: question_type,
    };
    index += 1;
  }
}

function answerIn(
  format: Config['data']['format'],
  choices: readonly string[],
  correct: number,
  rationales: readonly string[],
): string {
  return format === 'QMAE' ? answerQmae(choices, correct, rationales) : answerQma(choices, correct);
}
