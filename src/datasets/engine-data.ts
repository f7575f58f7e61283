import { basename } from 'node:path';
import { z } from 'zod';
import {
  checkGenerated,
  generatedFields,
  generatedQuestionSchema,
  type LeftOutReason,
  streamQuestions,
} from './question-records.ts';
import { withInstruction } from './question-text.ts';
import {
  type AnswerFormat,
  type AnswerRecord,
  type QuestionRecord,
  type TrainDataset,
  trainingSample,
} from './train-dataset.ts';

const { image_id, question, choices, correct_choice_idx, direct_answers, instruction, rationales } = generatedFields;

/**
 * One generated sample, with the field names of the reference system's `DataEngine_round<k>_data.json`. The order of the
 * fields is that of the file.
 */
export const engineSampleSchema = z
  .object({
    image_id,
    raw_instructions: z.string().default('').describe("The teacher's answer, unparsed"),
    question_type: z.string().default('unclassified'),
    question,
    choices,
    correct_choice_idx,
    direct_answers,
    instruction,
    rationales,
  })
  .superRefine(checkGenerated);

export type EngineSample = z.output<typeof engineSampleSchema>;

/**
 * Reads generated samples one after another; the file may be larger than memory.
 *
 * @param onLeftOut called for each record that is left out, as the reference system leaves it out
 * @throws InputError naming line or field, such as `[12].correct_choice_idx` when it is out of range.
 */
export async function* streamEngineData(
  file: string,
  onLeftOut?: (reason: LeftOutReason) => void,
): AsyncGenerator<EngineSample> {
  for await (const { record } of streamQuestions(file, engineSampleSchema, onLeftOut)) yield record;
}

/**
 * Reads a round's generated samples.
 *
 * @param onLeftOut as `streamEngineData` has it
 * @throws InputError as `streamEngineData` does.
 */
export async function readEngineData(
  file: string,
  onLeftOut?: (reason: LeftOutReason) => void,
): Promise<EngineSample[]> {
  const samples: EngineSample[] = [];
  for await (const sample of streamEngineData(file, onLeftOut)) samples.push(sample);
  return samples;
}

type GeneratedQuestion = z.output<typeof generatedQuestionSchema>;

/** What a sample is for training, but for its image. */
function partsOf(sample: GeneratedQuestion): Omit<QuestionRecord, 'id'> | Omit<AnswerRecord, 'id'> {
  const { question, choices, correct_choice_idx: correct, rationales, question_type: questionType } = sample;
  if (correct !== undefined) return { question, choices, correct, rationales, questionType };
  const { direct_answers: [answer = ''] = [], instruction } = sample;
  return { question: withInstruction(question, instruction), answer, questionType };
}

/** Question and answer of a sample, as they are trained on. */
export function engineTexts(sample: GeneratedQuestion, format: AnswerFormat): { question: string; answer: string } {
  const { prompt, answer } = trainingSample({ id: '', ...partsOf(sample) }, { source: '', format });
  return { question: prompt, answer };
}

/** The words of the right choice, or the short answer. */
export function answerWords({ choices, correct_choice_idx, direct_answers }: EngineSample): string {
  return (correct_choice_idx === undefined ? direct_answers?.[0] : choices[correct_choice_idx]) ?? '';
}

/** Generated samples for training: a round's, or those of an earlier data engine as a base dataset. */
export const gptvqa: TrainDataset = {
  downloads: {
    gptvqa: 'Download GPTVQA from github.com/opendatalab/MLLM-DataEngine and unpack it as gptvqa',
  },

  nameOf: (path) => basename(path, '.json'),

  async *read({ name, path, images }, onLeftOut) {
    for await (const { index, record } of streamQuestions(path, generatedQuestionSchema, onLeftOut)) {
      yield { id: `${name}-${index}`, image: await images.fileOf(record.image_id), ...partsOf(record) };
    }
  },
};
