/**
 * Statistics of a config's data: number of samples, question types, lengths, and the letters of the correct choices.
 */

import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { InputError } from '../core/input-error.ts';
import { countBy, emptyRecord } from '../core/records.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import { questionRecord, readAokvqa } from '../datasets/aokvqa.ts';
import { readQuestionRows } from '../datasets/own-questions.ts';
import { letterOf, withInstruction } from '../datasets/question-text.ts';
import {
  type ConversationSample,
  imagesOf,
  type TrainRecord,
  trainingSample,
  turnText,
} from '../datasets/train-dataset.ts';
import { versionHistory, versionObject } from '../datasets/versions.ts';
import { type PromptForm, questionTurn } from '../model/families/prompt-form.ts';
import { loadTokenizer } from '../model/text/tokenizer.ts';
import { conversationPieces } from '../trainer/jobs/conversation.ts';
import { promptFormOf } from './base-model.ts';
import { configuredSplits, poolFolder, type QuestionSet, questionSet } from './dataset-paths.ts';
import { baseDataset, generatedDataset, type LocatedDataset } from './mixture-parts.ts';

/** A sample of a dataset, as it is counted and shown. */
export interface CountedSample {
  /** The first one; none for words alone. */
  image?: string | undefined;
  /** All of a conversation's. */
  images?: readonly string[];
  /** What the model reads, and what it should write. */
  prompt: string;
  answer: string;
  questionType?: string;
  question?: string;
  choices?: readonly string[];
  correct?: number;
}

export interface DatasetStats {
  name: string;
  samples: number;
  /** Reason → records that are not trained on. */
  leftOut: Record<string, number>;
  images: number;
  countsByType: Record<string, number>;
  /** Of prompt and answer together, in `unit`s. */
  length: { mean: number; p95: number; longest: number };
  /** How often each letter is correct; empty without choices. */
  correctByLetter: number[];
  /** The letter that is correct too often to be chance, or undefined. */
  favoredLetter?: string;
  /** Some of the samples, of all types. */
  examples: CountedSample[];
}

export interface DataStats {
  /** Tokens by the model's tokenizer; words where there is none. */
  unit: 'tokens' | 'words';
  datasets: DatasetStats[];
}

/** @throws InputError naming the file and field of data that can't be read */
export async function dataStats(config: Config, run: RunDirectory): Promise<DataStats> {
  const { unit, lengthOf } = await lengthMeasure(config);
  const form = await promptFormIfKnown(config);
  const datasets: DatasetStats[] = [];
  for (const dataset of await allDatasets(config, run)) {
    const sampleOf = (record: TrainRecord): CountedSample => {
      const sample = trainingSample(record, { source: dataset.name, format: config.data.format });
      if ('turns' in sample) return countedConversation(sample, form);
      return {
        ...('question' in record && { question: record.question }),
        ...('choices' in record && { choices: record.choices, correct: record.correct }),
        ...sample,
        image: record.image,
        prompt:
          form === undefined
            ? sample.prompt
            : questionTurn(form, sample.prompt, { withImage: record.image !== undefined }),
      };
    };
    datasets.push(await count(dataset, sampleOf, lengthOf));
  }
  return { unit, datasets };
}

/** The last answer is shown as one, everything before it as what was asked. */
function countedConversation(sample: ConversationSample, form: PromptForm | undefined): CountedSample {
  const { turns, questionType } = sample;
  const texts = form?.conversation
    ? conversationPieces(turns, form).map(({ text }) => text)
    : turns.map((turn) => `${turnText(turn)}\n`);
  const images = imagesOf(sample);
  return {
    image: images[0],
    images,
    prompt: texts.slice(0, -1).join(''),
    answer: texts.at(-1) ?? '',
    question: turns.slice(0, -1).map(turnText).join('\n'),
    ...(questionType !== undefined && { questionType }),
  };
}

/** The prompt form of the model's family; none without a model, because the data can be counted without one. */
async function promptFormIfKnown(config: Config): Promise<PromptForm | undefined> {
  return promptFormOf(config).catch((error: unknown) => {
    if (error instanceof InputError) return undefined;
    throw error;
  });
}

/** The length of a text, and what it is counted in. */
interface LengthMeasure {
  unit: DataStats['unit'];
  lengthOf: (text: string) => Promise<number>;
}

async function lengthMeasure(config: Config): Promise<LengthMeasure> {
  try {
    const tokenizer = await loadTokenizer(config.model.path);
    return { unit: 'tokens', lengthOf: async (text) => (await tokenizer.encode(text)).length };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { unit: 'words', lengthOf: async (text) => text.split(/\s+/).filter((word) => word !== '').length };
  }
}

interface Dataset {
  name: string;
  records: (onLeftOut: (reason: string) => void) => AsyncIterable<TrainRecord>;
}

async function allDatasets(config: Config, run: RunDirectory): Promise<Dataset[]> {
  const base = config.data.train.map((part) => located(baseDataset(config, part)));
  const splits = configuredSplits(config).map((split): Dataset => {
    const set = questionSet(config, split) as QuestionSet;
    return { name: split, records: () => (set.questions === undefined ? aokvqaRecords(set) : ownRecords(set)) };
  });
  const pool = poolFolder(config);
  const current = (await versionHistory(run.root)).filter((entry) => entry.current);
  const generated = current.flatMap(({ version, setAside }) => {
    const name = `round ${version.round}${setAside ? ' (set aside)' : ''}`;
    return version.files.map((file) => located(generatedDataset(pool, name, versionObject(run.root, file))));
  });
  return [...base, ...splits, ...generated];
}

function located({ dataset, ...source }: LocatedDataset): Dataset {
  return { name: source.name, records: (onLeftOut) => dataset.read(source, onLeftOut) };
}

async function* aokvqaRecords({ file, images, limit }: QuestionSet): AsyncGenerator<TrainRecord> {
  const questions = (await readAokvqa(file)).slice(0, limit);
  for (const question of questions) yield { id: question.question_id, ...(await questionRecord(question, images)) };
}

/** Questions of your own. An image that their file holds is counted, and not shown. */
async function* ownRecords({ file, images, limit, questions = {} }: QuestionSet): AsyncGenerator<TrainRecord> {
  const { format, columns, instruction } = questions;
  for await (const one of readQuestionRows({ file, limit, format, columns })) {
    const { id, image: place, question, choices, correct = 0, answers = [], type: questionType } = one;
    const image = 'path' in place ? await images.fileOf(place.path) : undefined;
    if (choices !== undefined) yield { id, image, question, choices, correct, rationales: [], questionType };
    else
      yield { id, image, question: withInstruction(question, instruction), answer: answers[0] as string, questionType };
  }
}

const EXAMPLES_OF_A_TYPE = 2;

async function count(
  { name, records }: Dataset,
  sampleOf: (record: TrainRecord) => CountedSample,
  lengthOf: LengthMeasure['lengthOf'],
): Promise<DatasetStats> {
  const images = new Set<string>();
  const countsByType = emptyRecord<number>();
  const pending: Promise<number>[] = [];
  const correctByLetter: number[] = [];
  const evenByLetter: number[] = [];
  const examples: CountedSample[] = [];
  const leftOut: string[] = [];
  for await (const record of records((reason) => leftOut.push(reason))) {
    const sample = sampleOf(record);
    const type = sample.questionType ?? 'no type';
    countsByType[type] = (countsByType[type] ?? 0) + 1;
    if ((countsByType[type] ?? 0) <= EXAMPLES_OF_A_TYPE) examples.push(sample);
    for (const image of sample.images ?? [sample.image]) if (image !== undefined) images.add(image);
    pending.push(lengthOf(`${sample.prompt}${sample.answer}`));
    if (sample.correct === undefined) continue;
    const choices = sample.choices?.length ?? 0;
    for (let letter = 0; letter < choices; letter += 1) {
      correctByLetter[letter] ??= 0;
      evenByLetter[letter] = (evenByLetter[letter] ?? 0) + 1 / choices;
    }
    correctByLetter[sample.correct] = (correctByLetter[sample.correct] ?? 0) + 1;
  }
  const lengths = (await Promise.all(pending)).sort((left, right) => left - right);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return {
    name,
    samples: lengths.length,
    leftOut: countBy(leftOut, (reason) => reason),
    images: images.size,
    countsByType,
    length: {
      mean: lengths.length === 0 ? 0 : total / lengths.length,
      p95: lengths[Math.floor(lengths.length * 0.95)] ?? 0,
      longest: lengths.at(-1) ?? 0,
    },
    correctByLetter,
    favoredLetter: favoredLetter(correctByLetter, evenByLetter),
    examples,
  };
}

/** How many standard deviations the share of a letter may exceed an even one before it is reported. */
const TOLERATED_DEVIATIONS = 4;

/**
 * The letter that is correct more often than chance explains: a model learns to answer with it without looking.
 *
 * @param counts how often each letter is correct
 * @param even how often it would be by chance; not all samples have as many choices
 */
export function favoredLetter(counts: readonly number[], even: readonly number[]): string | undefined {
  const samples = counts.reduce((sum, value) => sum + value, 0);
  const isFavored = (count: number, letter: number) => {
    const share = (even[letter] ?? 0) / samples;
    const deviation = Math.sqrt(share * (1 - share) * samples);
    return count > (even[letter] ?? 0) + TOLERATED_DEVIATIONS * deviation;
  };
  const favored = counts.map((count, letter) => (isFavored(count, letter) ? count - (even[letter] ?? 0) : 0));
  const most = Math.max(0, ...favored);
  return most > 0 ? letterOf(favored.indexOf(most)) : undefined;
}

/** The default file of the page with samples. */
export function samplePage(run: RunDirectory): string {
  return join(run.root, 'data-samples.html');
}
