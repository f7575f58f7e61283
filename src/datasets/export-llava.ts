import { join, relative } from 'node:path';
import { InputError } from '../core/input-error.ts';
import { samplesAt } from './compare-versions.ts';
import { answerWords, type EngineSample, engineTexts } from './engine-data.ts';
import type { ExportInput } from './export-parquet.ts';
import { letterOf } from './question-text.ts';
import { IMAGE_MARK, writeJsonList } from './write-conversations.ts';

/** A training sample of LLaVA (https://github.com/haotian-liu/LLaVA, docs/Finetune_Custom_Data.md). */
interface LlavaSample {
  id: string;
  /** Relative to LLaVA's image folder. */
  image: string;
  conversations: { from: 'human' | 'gpt'; value: string }[];
}

const llavaFile = 'llava.json';
// The request that LLaVA-1.5 adds to the multiple-choice questions of its own mixture.
const REQUEST = "Answer with the option's letter from the given choices directly.";
const REQUEST_WITH_REASON = "Answer with the option's letter from the given choices, and explain your answer.";

/** A sample in the form that A-OKVQA has in LLaVA-1.5's mixture: a line per choice, the letter as the answer. */
function llavaSample(
  sample: EngineSample,
  options: { id: string; image: string; answerFormat: 'QMA' | 'QMAE' },
): LlavaSample {
  const { question, choices, correct_choice_idx, rationales } = sample;
  const isShort = correct_choice_idx === undefined;
  const reason =
    !isShort && options.answerFormat === 'QMAE' ? (rationales[0] ?? '').replace(/^Explanations?:\s*/i, '') : '';
  const lines = choices.map((choice, index) => `${letterOf(index)}. ${choice}`);
  const letter = isShort ? answerWords(sample) : letterOf(correct_choice_idx);
  const text = isShort ? [engineTexts(sample, 'QMA').question.trimEnd()] : [question, ...lines];
  const marked = [...text, letter, reason].find((one) => one.includes(IMAGE_MARK));
  if (marked !== undefined) {
    throw new InputError({
      file: llavaFile,
      field: `sample ${options.id}`,
      problem: `its text "${marked}" holds ${IMAGE_MARK}, which LLaVA takes for another image`,
      remedy: 'Reject the sample in review, or export as parquet',
    });
  }
  return {
    id: options.id,
    image: options.image,
    conversations: [
      {
        from: 'human',
        value: [IMAGE_MARK, ...text, ...(isShort ? [] : [reason === '' ? REQUEST : REQUEST_WITH_REASON])].join('\n'),
      },
      { from: 'gpt', value: reason === '' ? letter : `${letter}. ${reason}` },
    ],
  };
}

/** Writes all samples at a version as `llava.json`; images are named relative to the data root. */
export async function writeLlavaFile(
  folder: string,
  { runRoot, version, images, answerFormat }: ExportInput,
): Promise<string[]> {
  async function* conversations() {
    let index = 0;
    for await (const sample of samplesAt(runRoot, version)) {
      const image = join(images.path, relative(images.folder.path, await images.folder.fileOf(sample.image_id)));
      yield llavaSample(sample, { id: `${version.id.slice(0, 12)}-${index}`, image, answerFormat });
      index += 1;
    }
  }
  await writeJsonList(join(folder, llavaFile), conversations());
  return [llavaFile];
}
