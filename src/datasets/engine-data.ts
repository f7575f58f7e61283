import { basename } from 'node:path';
import { z } from 'zod';
import { checkCorrectChoice, choicesSchema, questionRecord } from './aokvqa.ts';
import { streamRecords } from './stream-records.ts';
import type { TrainDataset } from './train-dataset.ts';

/** One generated sample, with the field names of the reference system's `DataEngine_round<k>_data.json`. */
export const engineSampleSchema = z
  .object({
    image_id: z.int().nonnegative(),
    /** The teacher's answer, unparsed. */
    raw_instructions: z.string(),
    question_type: z.string(),
    question: z.string(),
    choices: choicesSchema,
    correct_choice_idx: z.int(),
    rationales: z.array(z.string()),
  })
  .superRefine(checkCorrectChoice);

export type EngineSample = z.output<typeof engineSampleSchema>;

/**
 * Reads generated samples one after another; the file may be larger than memory.
 *
 * @throws InputError naming line or field, such as `[12].correct_choice_idx` when it is out of range.
 */
export async function* streamEngineData(file: string): AsyncGenerator<EngineSample> {
  for await (const batch of streamRecords(file, { '': engineSampleSchema })) {
    for (const { value } of batch) yield value;
  }
}

/**
 * Reads a round's generated samples.
 *
 * @throws InputError as `streamEngineData` does.
 */
export async function readEngineData(file: string): Promise<EngineSample[]> {
  const samples: EngineSample[] = [];
  for await (const sample of streamEngineData(file)) samples.push(sample);
  return samples;
}

/** Generated samples for training: a round's, or those of an earlier data engine as a base dataset. */
export const gptvqa: TrainDataset = {
  downloads: {
    gptvqa: 'Download GPTVQA from github.com/opendatalab/MLLM-DataEngine and unpack it as gptvqa',
  },

  nameOf: (path) => basename(path, '.json'),

  async *read({ name, path, images }) {
    let index = 0;
    for await (const sample of streamEngineData(path)) {
      yield { id: `${name}-${index}`, ...questionRecord(sample, images) };
      index += 1;
    }
  },
};
