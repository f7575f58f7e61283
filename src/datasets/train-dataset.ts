import { z } from 'zod';
import type { ImageFolder } from './image-folder.ts';
import type { QuestionColumn } from './own-questions.ts';
import { answerQma, answerQmae, listedQuestion } from './question-text.ts';
import type { TableFormat } from './tables/index.ts';

/** Must be raised whenever the same file gives other samples: rounds are then trained again. */
export const trainRecordsVersion = 5;

/** A base dataset that models are finetuned on. One file each in this folder; `train-datasets.ts` lists them. */
export interface TrainDataset {
  /** What the config may say about how its file is read. */
  settings?: readonly (keyof TrainFileSettings)[];
  /** Its file or folder under the data root. Without one, the config has to name it. */
  defaultPath?: string;
  /** Path under the data root, a file or a folder → how to download what belongs there. */
  downloads: Readonly<Record<string, string>>;
  /** The file that the records come from: a dataset is known by its hash. Default: `path` itself. */
  contentFile?(path: string): string;
  /** The name of its samples' source and of its part of a mixture. Default: the name in the registry. */
  nameOf?(path: string): string;
  /**
   * Reads the records, always the same in the same order.
   *
   * @param onLeftOut called with the reason for each record that is not trained on
   * @throws InputError naming line or field of what is wrong in the file
   */
  read(source: TrainSource, onLeftOut?: (reason: string) => void): AsyncIterable<TrainRecord>;
}

/** Where a base dataset is; absolute or as a person gave it. */
export interface TrainSource {
  /** The name of the dataset, for ids that its file lacks. */
  name: string;
  /** The file or folder. */
  path: string;
  /** The folder of its images, for datasets that have none of their own. */
  images: ImageFolder;
  /** A folder for images that the file itself holds, for datasets that may. Several processes may fill it at once. */
  extractedImages?: string;
  /** How the file is read, for datasets that take it. */
  settings?: TrainFileSettings | undefined;
}

/** How a file of your own is read. */
export interface TrainFileSettings {
  /** Default: by the file's content. */
  format?: TableFormat | undefined;
  /** The names of columns that have other names than those of docs/data.md. */
  columns?: Partial<Record<QuestionColumn, string>> | undefined;
  /** What a question with a short answer ends with. */
  instruction?: string | undefined;
  /** Leaves records that do not fit out, and counts them by reason, instead of ending with an error. */
  skipInvalid?: boolean | undefined;
}

interface RecordPlace {
  /** Unique within its dataset. */
  id: string;
  /** Absolute path; none for a record of words alone. */
  image?: string | undefined;
}

/** A multiple-choice question about an image. */
export interface QuestionRecord extends RecordPlace {
  question: string;
  choices: readonly string[];
  /** Index of the correct choice. */
  correct: number;
  /** Reasons for the answer; the longest becomes the explanation of QMAE. */
  rationales: readonly string[];
  questionType?: string | undefined;
}

/** A request about an image with its whole answer, such as a description. */
export interface RequestRecord extends RecordPlace {
  request: string;
  answer: string;
}

/** A question with its whole answer, in whatever words. */
export interface AnswerRecord extends RecordPlace {
  question: string;
  answer: string;
  questionType?: string | undefined;
}

/** What one side says in a conversation. */
export const turnSchema = z.object({
  role: z.enum(['system', 'user', 'assistant']),
  /** Words, and in turns of the user images (absolute paths), in their order. */
  content: z.array(z.union([z.strictObject({ text: z.string() }), z.strictObject({ image: z.string() })])).nonempty(),
  /** Of a turn of the assistant: left out of the loss. */
  learned: z.literal(false).optional(),
});

export type Turn = z.output<typeof turnSchema>;

/**
 * A conversation: a system prompt or none, then turns of the user and the assistant one after the other. Each of the assistant
 * is learned, unless it is left out.
 */
export interface ConversationRecord {
  /** Unique within its dataset. */
  id: string;
  image?: undefined;
  turns: [Turn, ...Turn[]];
  questionType?: string | undefined;
}

export type TrainRecord = QuestionRecord | RequestRecord | AnswerRecord | ConversationRecord;

/** A conversation to learn from. */
const conversationSampleSchema = z.object({
  id: z.string(),
  source: z.string(),
  turns: z.array(turnSchema).nonempty(),
  questionType: z.string().optional(),
});

/** A single request and its answer to learn from. */
const exchangeSampleSchema = z.object({
  /** Unique within its source. */
  id: z.string(),
  /** `aokvqa`, `cc_sbu_align`, `round1`, ... */
  source: z.string(),
  /** Absolute path; none for a sample of words alone. */
  image: z.string().optional(),
  /** The question and the choices it lists; the trainer puts the words of the model's family around it. */
  prompt: z.string(),
  /** What it should write, without the end mark; the loss is on this and on the end mark. */
  answer: z.string(),
  questionType: z.string().optional(),
  /** A fixed request, such as for a description: unlike a question's, its words do not count for the longest sample. */
  kind: z.literal('request').optional(),
});

export type ExchangeSample = z.output<typeof exchangeSampleSchema>;
export type ConversationSample = z.output<typeof conversationSampleSchema> &
  Partial<Record<Exclude<keyof ExchangeSample, 'id' | 'source' | 'questionType'>, undefined>>;
/** One thing to learn from, whatever dataset it comes from. */
export type TrainingSample = ExchangeSample | ConversationSample;

export const trainingSampleSchema: z.ZodType<TrainingSample> = z.union([
  exchangeSampleSchema,
  conversationSampleSchema,
]);

/** QMA answers with the choice alone, QMAE with an explanation too. */
export type AnswerFormat = 'QMA' | 'QMAE';

/** The sample that a record becomes. */
export function trainingSample(
  record: Exclude<TrainRecord, ConversationRecord>,
  about: { source: string; format: AnswerFormat },
): ExchangeSample;
export function trainingSample(record: TrainRecord, about: { source: string; format: AnswerFormat }): TrainingSample;
export function trainingSample(
  record: TrainRecord,
  { source, format }: { source: string; format: AnswerFormat },
): TrainingSample {
  if ('turns' in record) {
    const { id, turns, questionType } = record;
    return { id, source, turns, questionType };
  }
  const { id, image } = record;
  if ('request' in record) {
    return { id, source, image, prompt: listedQuestion(record.request), answer: record.answer, kind: 'request' };
  }
  if ('answer' in record) {
    const { question, answer, questionType } = record;
    return { id, source, image, prompt: listedQuestion(question), answer, questionType };
  }
  const { question, choices, correct, rationales, questionType } = record;
  const answer = format === 'QMAE' ? answerQmae(choices, correct, rationales) : answerQma(choices, correct);
  return { id, source, image, prompt: listedQuestion(question, choices), answer, questionType };
}

/** The words of a turn. */
export function turnText({ content }: Turn): string {
  return content.flatMap((part) => ('text' in part ? [part.text] : [])).join('');
}

/** Absolute paths of the images of a turn, in their order. */
export function turnImages({ content }: Turn): string[] {
  return content.flatMap((part) => ('image' in part ? [part.image] : []));
}

/** The images of a record or sample, in the order in which they are shown. */
export function imagesOf(shown: { image?: string | undefined } | { turns: readonly Turn[] }): string[] {
  if ('turns' in shown) return shown.turns.flatMap(turnImages);
  return shown.image === undefined ? [] : [shown.image];
}
