/**
 * Generated samples as conversations in the words that this program trains on: OpenAI's messages and ShareGPT, with the
 * fields and marks that LLaMA-Factory and ms-swift read (LLaMA-Factory, `data/README.md`, "Sharegpt Format").
 */
import { join, relative } from 'node:path';
import { InputError } from '../core/input-error.ts';
import { writeJson } from '../core/write-file.ts';
import { samplesAt } from './compare-versions.ts';
import { type EngineSample, engineTexts } from './engine-data.ts';
import type { ExportInput } from './export-parquet.ts';
import { IMAGE_MARK, writeJsonItems, writeJsonList } from './write-conversations.ts';

/** What all conversations of a sample have. */
interface Exchange {
  id: string;
  question_type: string;
  /** With the mark of the image. */
  question: string;
  answer: string;
  /** One, relative to the data root. */
  images: [string];
}

const forms = {
  messages: {
    file: 'messages.jsonl',
    record: ({ question, answer, ...sample }: Exchange) => ({
      ...sample,
      messages: [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ],
    }),
    write: writeJsonItems,
    columns: {
      columns: { messages: 'messages', images: 'images' },
      tags: { role_tag: 'role', content_tag: 'content', user_tag: 'user', assistant_tag: 'assistant' },
    },
  },
  sharegpt: {
    file: 'sharegpt.json',
    record: ({ question, answer, ...sample }: Exchange) => ({
      ...sample,
      conversations: [
        { from: 'human', value: question },
        { from: 'gpt', value: answer },
      ],
    }),
    write: writeJsonList,
    columns: { columns: { messages: 'conversations', images: 'images' } },
  },
} as const;

/** LLaMA-Factory's list of the datasets in a folder. */
const datasetInfoFile = 'dataset_info.json';

/**
 * Writes all samples at a version as conversations, and beside them the `dataset_info.json` by which LLaMA-Factory reads them.
 *
 * @returns the files' names
 * @throws InputError for a sample whose words have the mark of an image
 */
export async function writeConversations(
  form: keyof typeof forms,
  folder: string,
  input: ExportInput,
): Promise<string[]> {
  const { file, record, write, columns } = forms[form];
  async function* records() {
    for await (const exchange of exchangesOf(file, input)) yield record(exchange);
  }
  await write(join(folder, file), records());
  await writeJson(join(folder, datasetInfoFile), {
    data_engine: { file_name: file, formatting: 'sharegpt', ...columns },
  });
  return [file, datasetInfoFile];
}

async function* exchangesOf(file: string, input: ExportInput): AsyncGenerator<Exchange> {
  const { runRoot, version, images } = input;
  let index = 0;
  for await (const sample of samplesAt(runRoot, version)) {
    const id = `${version.id.slice(0, 12)}-${index}`;
    const path = relative(images.folder.path, await images.folder.fileOf(sample.image_id));
    yield exchangeOf(file, sample, { id, image: join(images.path, path), answerFormat: input.answerFormat });
    index += 1;
  }
}

function exchangeOf(
  file: string,
  sample: EngineSample,
  { id, image, answerFormat }: { id: string; image: string; answerFormat: 'QMA' | 'QMAE' },
): Exchange {
  const { question, answer } = engineTexts(sample, answerFormat);
  const asked = question.trimEnd();
  const { question_type } = sample;
  if (!asked.includes(IMAGE_MARK) && !answer.includes(IMAGE_MARK)) {
    return { id, question_type, question: `${IMAGE_MARK}${asked}`, answer, images: [image] };
  }
  throw new InputError({
    file,
    field: `sample ${id}`,
    problem: `its text holds ${IMAGE_MARK}, which readers take for another image`,
    remedy: 'Reject the sample in review, or export as parquet',
  });
}
