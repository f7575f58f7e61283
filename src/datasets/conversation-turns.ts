/** Turns of conversations in the forms in which others publish them: LLaVA's and ShareGPT's, and OpenAI's messages. */
import { z } from 'zod';
import { decodeBase64 } from '../core/base64.ts';
import { type ImageOfQuestion, imageSchema } from './own-questions.ts';
import { isEmptyList, isThere } from './tables/index.ts';

/** A piece of a turn: words, an image, or the mark of one that is named beside the turns. */
export type Part = { text: string } | { image: ImageOfQuestion };

export interface Turn {
  role: 'system' | 'user' | 'assistant';
  parts: Part[];
  /** The format's own mark for a turn that is left out of the loss, or not. */
  isLearned?: boolean | undefined;
}

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

// A schema is compiled when it is first used: one for all parts.
const typedSchema = z.looseObject({ type: z.string() }).catch({ type: 'of no type' });
const textSchema = z.object({ text: z.string() });
const addressSchema = z.object({ url: z.string() });

const partSchema = z.unknown().transform((part, context): { text: string } | { image: ImageOfQuestion } => {
  const { type, ...content } = typedSchema.parse(part);
  if (type === 'text') {
    const text = textSchema.safeParse(content);
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
  const place = addressSchema.safeParse(path);
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

/** Marks of a turn by which other programs leave it out of the loss, or do more with it. */
const marksSchema = z.object({
  /** OpenAI: of the assistant's turns alone. */
  weight: z.literal([0, 1, 0n, 1n], 'must be 0 (left out of the loss) or 1').nullish(),
  /** ms-swift: of the assistant's turns alone. */
  loss: z.boolean('must be true or false (left out of the loss)').nullish(),
  train: notSupported('weight (0 or 1) or loss (true or false) leave a turn out of the loss'),
  train_detail: notSupported('a turn is learned whole, or left out by weight or loss'),
  training: notSupported('weight (0 or 1) or loss (true or false) leave a turn out of the loss'),
  loss_scale: notSupported('a turn is learned, or left out by weight or loss'),
  tool_calls: notSupported('tools are not'),
  function_call: notSupported('tools are not'),
  audio: notSupported('audio is not'),
});

function notSupported(remedy: string) {
  return z.unknown().refine(isNothing, `is not supported: ${remedy}`).optional();
}

type Marks = z.output<typeof marksSchema>;

export const sharedTurn = z
  .object({ from: roleSchema, value: z.string(), ...marksSchema.shape })
  .transform(({ from, value, ...marks }) => ({ role: from, parts: [{ text: value }] as Part[], ...marks }))
  .transform(withLearned);
export const messageTurn = z
  .object({
    role: roleSchema,
    content: z.preprocess(
      (content) => (typeof content === 'string' ? [{ type: 'text', text: content }] : content),
      z.array(partSchema, 'must be a text or a list of parts'),
    ),
    ...marksSchema.shape,
  })
  .transform(({ role, content, ...marks }) => ({ role, parts: content as Part[], ...marks }))
  .transform(withLearned);

function withLearned({ role, parts, weight, loss }: Omit<Turn, 'isLearned'> & Marks, context: z.RefinementCtx): Turn {
  const byWeight = typeof weight === 'number' || typeof weight === 'bigint' ? Number(weight) === 1 : undefined;
  const byLoss = loss ?? undefined;
  if (byWeight !== undefined && byLoss !== undefined && byWeight !== byLoss) {
    context.addIssue({ code: 'custom', message: 'has a weight and a loss that say the opposite' });
  }
  const isLearned = byLoss ?? byWeight;
  if (isLearned === true && role !== 'assistant') {
    context.addIssue({ code: 'custom', message: `is a turn of the ${role}: only the assistant's are learned` });
  }
  return { role, parts, isLearned };
}

/** A field that is not there, or an empty list. */
export function isNothing(value: unknown): boolean {
  return !isThere(value) || isEmptyList(value);
}
