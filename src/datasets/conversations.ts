/**
 * Conversations about images, in the forms in which others publish them: LLaVA's and ShareGPT's `conversations`, and OpenAI's
 * `messages`, as a JSON list, JSON lines or Parquet (docs/data.md).
 */
import { z } from 'zod';
import { decodeBase64 } from '../core/base64.ts';
import { describeFirstIssue, InputError } from '../core/input-error.ts';
import { locateImage } from './locate-image.ts';
import { type ImageOfQuestion, imageSchema } from './own-questions.ts';
import { isEmptyList, isThere, rowError, type TableRow, tableRows } from './tables/index.ts';
import type { TrainDataset } from './train-dataset.ts';
import { IMAGE_MARK } from './write-conversations.ts';

export const conversations: TrainDataset = {
  settings: ['format', 'skipInvalid'],
  downloads: {},

  async *read(source, onLeftOut) {
    const { path: file, name, settings: { format, skipInvalid } = {} } = source;
    let number = 0;
    let kept = 0;
    for await (const row of tableRows(file, format)) {
      number += 1;
      const read = readConversation(row);
      if ('problem' in read) {
        if (!skipInvalid) throw rowError(file, row, read.field, read.problem);
        onLeftOut?.(read.reason);
        continue;
      }
      kept += 1;
      const image = read.image && (await locateImage(read.image, source));
      const { question, answer, questionType } = read;
      yield {
        id: read.id ?? `${name}-${number}`,
        image,
        question,
        answer,
        ...(questionType !== undefined && { questionType }),
      };
    }
    if (kept > 0) return;
    throw new InputError({ file, problem: 'has no conversation to train on', remedy: 'Name a file with at least one' });
  },
};

interface Exchange {
  id?: string | undefined;
  image?: ImageOfQuestion | undefined;
  question: string;
  answer: string;
  questionType?: string;
}

/** Why a record is not taken. */
interface Refusal {
  field: string;
  problem: string;
  /** The same without what differs from record to record: such records are counted together. */
  reason: string;
}

interface Turn {
  role: 'system' | 'user' | 'assistant';
  text: string;
  images: ImageOfQuestion[];
  /** Place in the record. */
  field: string;
}

const otherMedia = ['video', 'audio'] as const;

const roles = new Map<string, Turn['role']>([
  ['system', 'system'],
  ['human', 'user'],
  ['user', 'user'],
  ['gpt', 'assistant'],
  ['assistant', 'assistant'],
]);
const roleSchema = z.string().transform((name, context) => {
  const role = roles.get(name);
  if (role !== undefined) return role;
  context.addIssue({ code: 'custom', message: `'${name.slice(0, 50)}' is none of ${[...roles.keys()].join(', ')}` });
  return z.NEVER;
});

const partSchema = z.unknown().transform((part, context): { text: string } | { image: ImageOfQuestion } => {
  const { type, ...content } = z.looseObject({ type: z.string() }).catch({ type: 'of no type' }).parse(part);
  if (type === 'text') {
    const text = z.object({ text: z.string() }).safeParse(content);
    if (text.success) return text.data;
    context.addIssue({ code: 'custom', message: 'has no text' });
    return z.NEVER;
  }
  if (type !== 'image_url' && type !== 'image') {
    context.addIssue({
      code: 'custom',
      message: `a part ${type.slice(0, 50)} is not supported: text, image and image_url are`,
    });
    return z.NEVER;
  }
  const { image_url, image = image_url, path = image } = content;
  const place = z.object({ url: z.string() }).safeParse(path);
  const read = contentImageSchema.safeParse(place.success ? place.data.url : path);
  if (read.success) return { image: read.data };
  context.addIssue({ code: 'custom', message: read.error.issues[0]?.message ?? 'is no image' });
  return z.NEVER;
});

/** A data address holds the image; `file:` stands before a path within the folder of images. */
const contentImageSchema = z
  .unknown()
  .transform((value, context): unknown => {
    if (typeof value !== 'string') return value;
    const data = /^data:image\/[\w.+-]+;base64,/.exec(value);
    if (data === null) return value.replace(/^file:(\/\/)?/, '');
    const content = decodeBase64(value.slice(data[0].length));
    if (content !== undefined && content.length > 0) return content;
    context.addIssue({ code: 'custom', message: 'is not base64' });
    return z.NEVER;
  })
  .pipe(imageSchema);

const sharedTurn = z
  .object({ from: roleSchema, value: z.string() })
  .transform(({ from, value }) => ({ role: from, text: value, images: [] as ImageOfQuestion[] }));
const messageTurn = z
  .object({
    role: roleSchema,
    content: z.preprocess(
      (content) => (typeof content === 'string' ? [{ type: 'text', text: content }] : content),
      z.array(partSchema, 'must be a text or a list of parts'),
    ),
  })
  .transform(({ role, content }) => ({
    role,
    text: content.flatMap((part) => ('text' in part ? [part.text] : [])).join('\n'),
    images: content.flatMap((part) => ('image' in part ? [part.image] : [])),
  }));

function readConversation(row: TableRow): Exchange | Refusal {
  const { values } = row;
  for (const medium of otherMedia) {
    const field = [medium, `${medium}s`].find((name) => !isNothing(values.get(name)));
    if (field !== undefined)
      return refusal(field, `${medium} is not supported: records are about an image, or words alone`);
  }
  const list = values.has('messages') ? 'messages' : 'conversations';
  const turns = read(row, list, list === 'messages' ? z.array(messageTurn) : z.array(sharedTurn));
  if ('problem' in turns) return turns;
  const named = readImages(row);
  if ('problem' in named) return named;
  const [first, second, ...others] = turns.value;
  if (first?.role === 'system') return refusal(`${list}[0]`, 'a system prompt is not supported');
  if (first?.role !== 'user' || second?.role !== 'assistant') {
    return refusal(list, 'does not start with a turn of the user and one of the assistant');
  }
  if (others.length > 0)
    return refusal(`${list}[2]`, 'a second exchange is not supported: one question and its answer are');
  if (second.images.length > 0) return refusal(`${list}[1]`, 'an image in an answer is not supported');
  const images = [...named.value, ...first.images];
  if (images.length > 1) return refusal('images', 'several images are not supported: one is, or none');
  return exchangeOf(row, list, { question: first.text, answer: second.text, image: images[0] });
}

function exchangeOf(
  { values }: TableRow,
  list: string,
  { question, answer, image }: { question: string; answer: string; image: ImageOfQuestion | undefined },
): Exchange | Refusal {
  for (const medium of otherMedia) {
    if (question.includes(`<${medium}>`)) return refusal(`${list}[0]`, `${medium} is not supported`);
  }
  const marks = question.split(IMAGE_MARK).length - 1;
  if (marks > (image === undefined ? 0 : 1)) {
    const images = image === undefined ? 'no image' : 'one image';
    return refusal(`${list}[0]`, `has ${IMAGE_MARK} ${marks} times, but ${images}`, `${IMAGE_MARK} without its image`);
  }
  const asked = question.replace(IMAGE_MARK, '').trim();
  if (asked === '') return refusal(`${list}[0]`, 'has no words');
  if (answer.trim() === '') return refusal(`${list}[1]`, 'has no words');
  const [id, type] = ['id', 'question_type'].map((name) => values.get(name));
  return {
    id: isNothing(id) ? undefined : String(id),
    image,
    question: asked,
    answer: answer.trim(),
    ...(typeof type === 'string' && { questionType: type }),
  };
}

/** The images beside the turns: LLaVA's `image`, ShareGPT's `images`. */
function readImages(row: TableRow): { value: ImageOfQuestion[] } | Refusal {
  const [one, several] = ['image', 'images'].map((name) => row.values.get(name));
  if (!isNothing(one)) {
    const image = read(row, 'image', imageSchema);
    return 'problem' in image ? image : { value: [image.value] };
  }
  if (isNothing(several)) return { value: [] };
  return read(row, 'images', z.array(imageSchema));
}

function read<S extends z.ZodType>({ values }: TableRow, field: string, schema: S): { value: z.output<S> } | Refusal {
  const parsed = schema.safeParse(values.get(field));
  if (parsed.success) return { value: parsed.data };
  const { field: inner, problem } = describeFirstIssue(parsed.error);
  const separator = inner === '' || inner.startsWith('[') ? '' : '.';
  return refusal(`${field}${separator}${inner}`, problem, `${field} that do not fit`);
}

function refusal(field: string, problem: string, reason = problem): Refusal {
  return { field, problem, reason };
}

function isNothing(value: unknown): boolean {
  return !isThere(value) || isEmptyList(value);
}
