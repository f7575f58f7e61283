/**
 * Conversations about images, in the forms in which others publish them: LLaVA's and ShareGPT's `conversations`, and OpenAI's
 * `messages`, as a JSON list, JSON lines or Parquet (docs/data.md).
 */
import { z } from 'zod';
import { describeFirstIssue, InputError } from '../core/input-error.ts';
import { isNothing, messageTurn, type Part, sharedTurn, type Turn } from './conversation-turns.ts';
import { locateImage } from './locate-image.ts';
import { type ImageOfQuestion, imageSchema } from './own-questions.ts';
import { rowError, type TableRow, tableRows } from './tables/index.ts';
import {
  type Turn as LocatedTurn,
  type TrainDataset,
  type TrainRecord,
  type TrainSource,
  turnImages,
  turnText,
} from './train-dataset.ts';
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
      yield await recordOf(read, source, `${name}-${number}`);
    }
    if (kept > 0) return;
    throw new InputError({ file, problem: 'has no conversation to train on', remedy: 'Name a file with at least one' });
  },
};

interface Conversation {
  id?: string | undefined;
  questionType?: string | undefined;
  /** A system prompt or none, then turns of the user and the assistant one after the other. */
  turns: Turn[];
}

/** Why a record is not taken. */
interface Refusal {
  field: string;
  problem: string;
  /** The same without what differs from record to record: such records are counted together. */
  reason: string;
}

/**
 * One question with at most one image and its answer is a record as of other datasets, everything else a conversation. A single
 * image of a turn comes before its words; of several each stays where it is.
 */
async function recordOf(
  { id: given, questionType, turns }: Conversation,
  source: TrainSource,
  number: string,
): Promise<TrainRecord> {
  const id = given ?? number;
  const type = questionType !== undefined && { questionType };
  const located = await Promise.all(turns.map((turn) => locatedTurn(turn, source)));
  const [question, answer, ...others] = located as [LocatedTurn, LocatedTurn, ...LocatedTurn[]];
  if (question.role === 'user' && others.length === 0 && turnImages(question).length < 2) {
    return { id, image: turnImages(question)[0], question: turnText(question), answer: turnText(answer), ...type };
  }
  return { id, turns: [question, answer, ...others], ...type };
}

async function locatedTurn({ role, parts, isLearned }: Turn, source: TrainSource): Promise<LocatedTurn> {
  const [first, ...others] = await Promise.all(
    parts.map(async (part) => ('image' in part ? { image: await locateImage(part.image, source) } : part)),
  );
  if (first === undefined) throw new Error('a turn has neither words nor an image');
  return { role, content: [first, ...others], ...(isLearned === false && { learned: false }) };
}

const otherMedia = ['video', 'audio'] as const;

/** Columns of other programs that change what is learned. */
const unsupportedColumns = new Map([
  ['tools', 'tools are not supported'],
  ['functions', 'tools are not supported'],
  ['rejected_response', 'preferences are not supported'],
  ['rejected', 'preferences are not supported'],
]);

// A schema is compiled when it is first used: one for all records.
const turnsSchemas = { messages: z.array(messageTurn), conversations: z.array(sharedTurn) };
const imagesSchema = z.array(imageSchema);

function readConversation(row: TableRow): Conversation | Refusal {
  const { values } = row;
  for (const medium of otherMedia) {
    const field = [medium, `${medium}s`].find((name) => !isNothing(values.get(name)));
    if (field !== undefined)
      return refusal(field, `${medium} is not supported: records are about images, or words alone`);
  }
  for (const [column, problem] of unsupportedColumns) {
    const value = values.get(column);
    if (!isNothing(value) && value !== '' && value !== '[]') return refusal(column, problem);
  }
  const list = values.has('messages') ? 'messages' : 'conversations';
  const turns = read(row, list, turnsSchemas[list]);
  if ('problem' in turns) return turns;
  const named = readImages(row);
  if ('problem' in named) return named;
  const system = values.get('system');
  const beside = typeof system === 'string' && system.trim() !== '' ? system.trim() : undefined;
  const order = checkOrder(list, turns.value, beside !== undefined);
  if (order !== undefined) return order;
  const placed = placeImages(list, turns.value, named.value);
  if ('problem' in placed) return placed;
  const [id, type] = ['id', 'question_type'].map((name) => values.get(name));
  return {
    id: isNothing(id) ? undefined : String(id),
    questionType: typeof type === 'string' ? type : undefined,
    turns: beside === undefined ? placed.value : [{ role: 'system', parts: [{ text: beside }] }, ...placed.value],
  };
}

/** Whether who speaks when, and what is learned, can be trained on. */
function checkOrder(list: string, turns: readonly Turn[], hasSystem: boolean): Refusal | undefined {
  const at = (index: number, problem: string) => refusal(`${list}[${index}]`, problem);
  const first = turns[0]?.role === 'system' ? 1 : 0;
  if (first === 1 && hasSystem) return at(0, 'is a second system prompt, beside the column system');
  for (const [index, { role }] of turns.entries()) {
    if (role === 'system' && index > 0) return at(index, 'is a system prompt behind the first turn');
  }
  if (turns[first]?.role !== 'user' || turns.length < first + 2) {
    return refusal(list, 'does not start with a turn of the user and one of the assistant');
  }
  for (const [index, { role }] of turns.entries()) {
    const before = turns[index - 1]?.role;
    if (role === before) return at(index, `is another turn of the ${role}: turns of user and assistant take turns`);
  }
  const last = turns.length - 1;
  if (turns[last]?.role === 'user') return at(last, 'is a question that no answer follows');
  if (turns.every(({ role, isLearned }) => role !== 'assistant' || isLearned === false)) {
    return refusal(list, 'leaves every answer out of the loss: nothing is learned');
  }
  return undefined;
}

/** The turns with the images where they are shown, the marks of images taken out of the words. */
function placeImages(
  list: string,
  turns: readonly Turn[],
  named: readonly ImageOfQuestion[],
): { value: Turn[] } | Refusal {
  const areInTurns = turns.some(({ parts }) => parts.some((part) => 'image' in part));
  if (named.length > 0 && areInTurns) {
    return refusal(list, 'has images in its turns, and others are named beside them');
  }
  const marks = turns.map((turn) => (turn.role === 'user' ? marksOf(turn) : 0));
  const marked = marks.reduce((sum, count) => sum + count, 0);
  const hasOneUnmarked = marked === 0 && named.length === 1;
  const left = [...named];
  const value: Turn[] = [];
  for (const [index, turn] of turns.entries()) {
    const field = `${list}[${index}]`;
    const words = turn.parts.flatMap((part) => ('text' in part ? [part.text] : [])).join('\n');
    if (turn.role !== 'user') {
      if (turn.parts.some((part) => 'image' in part)) {
        return refusal(
          field,
          `an image in ${turn.role === 'system' ? 'a system prompt' : 'an answer'} is not supported`,
        );
      }
      if (words.trim() === '') return refusal(field, 'has no words');
      value.push({ ...turn, parts: [{ text: words.trim() }] });
      continue;
    }
    for (const medium of otherMedia) {
      if (words.includes(`<${medium}>`)) return refusal(field, `${medium} is not supported`);
    }
    const own = turn.parts.flatMap((part) => ('image' in part ? [part.image] : []));
    const count = marks[index] as number;
    const isWrong = areInTurns ? count > 0 && count !== own.length : count > left.length;
    if (isWrong) {
      const found = areInTurns ? own.length : named.length;
      const images = found === 0 ? 'no image' : found === 1 ? 'one image' : `${found} images`;
      return refusal(
        field,
        `has ${IMAGE_MARK} ${areInTurns ? count : marked} times, but ${images}`,
        `${IMAGE_MARK} without its image`,
      );
    }
    const shown = areInTurns ? own : left.splice(0, hasOneUnmarked ? 1 : count);
    const parts = shown.length < 2 ? imageFirst(words, shown) : count > 0 ? atMarks(words, shown) : joined(turn.parts);
    if (parts.every((part) => 'image' in part || part.text.trim() === '')) return refusal(field, 'has no words');
    value.push({ ...turn, parts });
  }
  if (left.length === 0) return { value };
  return refusal(
    'images',
    `are ${named.length}, but ${list} has ${IMAGE_MARK} ${marked} times`,
    `images without their ${IMAGE_MARK}`,
  );
}

const marksOf = ({ parts }: Turn) =>
  parts.reduce((sum, part) => sum + ('text' in part ? part.text.split(IMAGE_MARK).length - 1 : 0), 0);

function imageFirst(words: string, images: readonly ImageOfQuestion[]): Part[] {
  const text = (images.length === 0 ? words : words.replace(IMAGE_MARK, '')).trim();
  return [...images.map((image) => ({ image })), ...(text === '' ? [] : [{ text }])];
}

function atMarks(words: string, images: readonly ImageOfQuestion[]): Part[] {
  const texts = words.split(IMAGE_MARK);
  const parts = texts.flatMap((text, index): Part[] => {
    const image = images[index];
    return [{ text }, ...(image === undefined ? [] : [{ image }])];
  });
  return trimmed(parts);
}

/** Words in a row are one text, with a line break between. */
function joined(parts: readonly Part[]): Part[] {
  const result: Part[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if ('text' in part && last !== undefined && 'text' in last) {
      result[result.length - 1] = { text: `${last.text}\n${part.text}` };
    } else result.push(part);
  }
  return trimmed(result);
}

/** Without spaces at the start and the end of a turn, and without empty texts. */
function trimmed(parts: readonly Part[]): Part[] {
  return parts.flatMap((part, index): Part[] => {
    if ('image' in part) return [part];
    const fromStart = index === 0 ? part.text.trimStart() : part.text;
    const text = index === parts.length - 1 ? fromStart.trimEnd() : fromStart;
    return text === '' ? [] : [{ text }];
  });
}

/** The images beside the turns: LLaVA's `image`, ShareGPT's `images`. */
function readImages(row: TableRow): { value: ImageOfQuestion[] } | Refusal {
  const [one, several] = ['image', 'images'].map((name) => row.values.get(name));
  if (!isNothing(one)) {
    const image = read(row, 'image', imageSchema);
    return 'problem' in image ? image : { value: [image.value] };
  }
  if (isNothing(several)) return { value: [] };
  return read(row, 'images', imagesSchema);
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
