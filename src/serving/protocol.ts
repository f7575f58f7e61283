/**
 * How an engine's process is talked to: a JSON message a line, requests on its standard input, answers on its standard output.
 * All else on its outputs is log. When its standard input closes, whoever started it is gone, and it exits.
 */
import { z } from 'zod';
import { computeDtypes, weightDtypes } from '../config/finetune-schema.ts';
import { exifModes } from '../core/images/image-kind.ts';
import { promptFormSchema } from '../model/families/prompt-form.ts';
import { imageFieldsSchema } from '../trainer/protocol.ts';
import type { GeneratedToken, GenerationEnd, PromptLogprobs } from './engine.ts';

/**
 * How the name of a folder begins that an engine's process has for itself. On TensorFlow it removes it when whoever started it is
 * gone; on PyTorch the system kills the process then, and the next engine removes the folder.
 */
export const temporaryFolder = 'dataengine-engine-';

const positiveInteger = z.number().int().positive();

/** The job file of an engine's process. */
export const serveJobSchema = z.strictObject({
  kind: z.literal('serve'),
  model: z.string(),
  /** What requests call the model. */
  name: z.string(),
  /** Name → PEFT directory. */
  adapters: z.record(z.string(), z.string()),
  /** Requests that are decoded at the same time. */
  slots: positiveInteger,
  /** Tokens of prompt and answer together; default: as the model says, on TensorFlow at most 2048. */
  capacity: positiveInteger.optional(),
  exif: z.enum(exifModes).optional(),
  /** As of the trainer's jobs; for models that PyTorch serves. */
  image: imageFieldsSchema,
  computeDtype: z.enum(computeDtypes).optional(),
  weightDtype: z.enum(weightDtypes).optional(),
  family: z.looseObject({ promptForm: promptFormSchema, imageTokens: positiveInteger }).optional(),
});

export type ServeJob = z.output<typeof serveJobSchema>;

const contentSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({ type: z.literal('image'), image: z.string() }),
]);

const turnsSchema = z.array(
  z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.array(contentSchema) }),
);

/** To an engine's process; images are in base64. */
export const engineRequestSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('generate'),
    id: z.number(),
    request: z.strictObject({
      model: z.string(),
      turns: turnsSchema,
      maxTokens: z.number(),
      temperature: z.number(),
      topP: z.number(),
      stop: z.array(z.string()),
      seed: z.number(),
      topLogprobs: z.number().optional(),
    }),
  }),
  z.strictObject({
    type: z.literal('prompt'),
    id: z.number(),
    request: z.strictObject({ model: z.string(), turns: turnsSchema, openEnd: z.boolean().optional() }),
  }),
  z.strictObject({ type: z.literal('cancel'), id: z.number() }),
]);

export type EngineRequest = z.output<typeof engineRequestSchema>;

const inputErrorSchema = z.object({
  kind: z.literal('input'),
  file: z.string(),
  field: z.string().optional(),
  problem: z.string(),
  remedy: z.string(),
});

const errorSchema = z.discriminatedUnion('kind', [
  inputErrorSchema,
  z.object({ kind: z.literal('memory'), message: z.string() }),
  z.object({ kind: z.literal('internal'), message: z.string() }),
]);

export type EngineFailure = z.output<typeof errorSchema>;

const logprobFields = { id: z.number(), text: z.string(), logprob: z.number() };
const tokenSchema: z.ZodType<GeneratedToken> = z.object({
  ...logprobFields,
  logprob: z.number().optional(),
  top: z.array(z.object(logprobFields)).optional(),
}) as z.ZodType<GeneratedToken>;

const endSchema: z.ZodType<GenerationEnd> = z.object({
  finish: z.enum(['stop', 'length']),
  promptTokens: z.number(),
  completionTokens: z.number(),
});

const promptLogprobsSchema: z.ZodType<PromptLogprobs> = z.object({
  ids: z.array(z.number()),
  tokens: z.array(z.string()),
  logprobs: z.array(z.number().nullable()),
});

/** From an engine's process. A failure without an id is one of the whole process. */
export const engineMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), models: z.array(z.string()) }),
  z.object({ type: z.literal('tokens'), id: z.number(), tokens: z.array(tokenSchema) }),
  z.object({ type: z.literal('end'), id: z.number(), end: endSchema }),
  z.object({ type: z.literal('logprobs'), id: z.number(), result: promptLogprobsSchema }),
  z.object({ type: z.literal('failed'), id: z.number().optional(), error: errorSchema }),
]);

export type EngineMessage = z.output<typeof engineMessageSchema>;

/** The message in a line, or undefined when the line is log. */
export function parseEngineLine(line: string): EngineMessage | undefined {
  if (!line.startsWith('{"type":')) return undefined;
  try {
    return engineMessageSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
