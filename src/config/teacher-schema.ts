import { z } from 'zod';
import { pollSeconds, timerSeconds } from '../core/durations.ts';
import { pathIn } from './config-paths.ts';
import { extraBodySchema } from './extra-body.ts';

const count = z.int().positive();

const limitsSchema = z
  .strictObject({
    requestsPerMinute: z.number().positive().optional().describe("Default: no limit but the teacher's own."),
    tokensPerMinute: z.number().positive().optional().describe('Prompt and longest answer together, as OpenAI counts.'),
  })
  .describe('What this run may use of the account, over all workers. Other runs need a share of their own.');

const budgetSchema = z.strictObject({
  limit: z
    .number()
    .nonnegative()
    .or(z.literal('none'))
    .describe('What all rounds of the run may cost together, in the currency of the prices. none: any amount.'),
  whenReached: z
    .enum(['wait', 'finish'])
    .default('wait')
    .describe('wait: for a top-up. finish: end the round with the answers so far.'),
});

const batchSchema = z.strictObject({
  requests: count.max(50_000).default(5000).describe('Requests in a batch.'),
  maxConcurrent: count.default(4).describe('Batches that may run at the same time.'),
  pollSeconds: pollSeconds.default(15).describe('First wait before the state of a batch is read; it grows.'),
  maximumPollSeconds: pollSeconds.default(300).describe('Longest of these waits.'),
});

const imagesSchema = z
  .strictObject({
    longestSide: z
      .int()
      .min(32)
      .max(8192)
      .default(1024)
      .describe('Larger images are scaled down to this many pixels before they are sent.'),
    detail: z
      .enum(['low', 'high'])
      .default('low')
      .describe("The protocol's field; high: for small text and small things, at more tokens (OpenAI)."),
  })
  .describe('How images are sent, by attachImage, data.descriptions.source: image and describe-images.');

export function hasNoPassword(address: string): boolean {
  if (!URL.canParse(address)) return true;
  const { username, password } = new URL(address);
  return username === '' && password === '';
}

/** The teacher that writes new samples, and its requests. */
export const teacherSchema = z
  .strictObject({
    provider: z
      .string()
      .min(1)
      .default('openai')
      .describe('openai, azure, local (the rule-based server of the demo), or one that the program adds.'),
    baseUrl: z
      .url({ protocol: /^https?$/ })
      .refine(hasNoPassword, 'has a user name or a password; give the key by teacher.apiKeyVariable')
      .optional()
      .describe('Any server that speaks the chat-completions protocol.'),
    serve: z
      .string()
      .min(1)
      .optional()
      .describe(
        "In place of baseUrl: a server that the GPU worker starts while the teacher is asked, and stops again: its name in the worker's settings (`serve`), which have its command. For one machine that has teacher and student in turn; see docs/teacher.md.",
      ),
    apiVersion: z.string().min(1).optional().describe("azure only: the protocol's version."),
    model: z.string().min(1).default('gpt-4').describe('azure: the name of the deployment.'),
    apiKeyVariable: z.string().min(1).default('OPENAI_API_KEY').describe('Environment variable with the key.'),
    apiKeyFile: pathIn('secrets')
      .optional()
      .describe('File with the key, instead of the variable, read before each use.'),
    temperature: z.number().min(0).max(2).default(0.7).describe('A higher one gives more varied questions.'),
    topP: z.number().gt(0).max(1).default(0.9).describe('Nucleus sampling.'),
    maximumTokens: count
      .default(800)
      .describe("Longest answer, with a reasoning model's reasoning. One that is cut is rejected."),
    tokenLimitParameter: z
      .enum(['auto', 'max_tokens', 'max_completion_tokens'])
      .default('auto')
      .describe("The request's field for maximumTokens; auto: by the model's name."),
    samplingParameters: z
      .enum(['auto', 'send', 'omit'])
      .default('auto')
      .describe("Whether temperature and topP are sent; auto: not to OpenAI's reasoning models, which refuse them."),
    stop: z
      .array(z.string().min(1))
      .max(4)
      .default([])
      .describe(
        'Texts that end a new sample, or a classification of questions, where the teacher writes one; the reference sends ["###"].',
      ),
    logitBias: z
      .record(z.string().regex(/^\d+$/, 'is not the id of a token'), z.number().min(-100).max(100))
      .default({})
      .describe(
        'Token id → bias in the same requests; the reference sends { "50256": -100 }, the end of a text for older models.',
      ),
    extraBody: extraBodySchema
      .default({})
      .describe(
        'More fields of the request that change how an answer is sampled, such as { reasoning_effort: low, seed: null }; null leaves one out.',
      ),
    prompt: pathIn('configs')
      .optional()
      .describe(
        'Prompt file; its version is kept with every sample. Default: configs/prompts/generate-v1.md, with attachImage generate-with-image-v1.md, with data.descriptions.source: image generate-from-image-v1.md.',
      ),
    shortAnswerPrompt: pathIn('configs')
      .optional()
      .describe(
        'Prompt file of samples with a short answer. Default: configs/prompts/generate-short-v1.md, with attachImage generate-short-with-image-v1.md, with data.descriptions.source: image generate-short-from-image-v1.md.',
      ),
    mode: z
      .enum(['online', 'batch'])
      .default('online')
      .describe('batch: the Batch API, at half the price within a day.'),
    answerFormat: z.enum(['text', 'structured']).default('text').describe('structured: JSON by a schema.'),
    attachImage: z.boolean().default(false).describe('Send the image too, to a model with vision.'),
    images: imagesSchema.prefault({}),
    storeAnswers: z
      .boolean()
      .default(false)
      .describe('Have the teacher store its answers, so that a lost one is looked up instead of paid twice.'),
    concurrency: count.default(4).describe('Open requests, over all workers.'),
    chunkRequests: count.max(5000).default(250).describe('Requests of one activity.'),
    maxConcurrentChunks: count
      .max(100)
      .default(4)
      .describe('Activities with requests that may run at the same time, over all workers.'),
    limits: limitsSchema.prefault({}),
    budget: z
      .preprocess((given) => (given === 'none' ? { limit: 'none' } : given), budgetSchema)
      .optional()
      .describe('A run that Temporal starts with a teacher that costs money requires one, or `budget: none`.'),
    prices: pathIn('configs')
      .default('configs/prices.yaml')
      .describe('What models cost, for estimates and the budget.'),
    batch: batchSchema.prefault({}),
    requestTimeoutSeconds: timerSeconds.default(120).describe('A request without an answer in this time is retried.'),
    mistakeRate: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe('local only: share of answers with a deliberate mistake.'),
  })
  .superRefine(({ serve, provider, mode, baseUrl, apiKeyFile, storeAnswers }, context) => {
    if (serve === undefined) return;
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (provider !== 'openai') refuse('provider', `teacher.serve starts a server of OpenAI's protocol: leave it out`);
    if (baseUrl !== undefined) refuse('baseUrl', 'the server of teacher.serve is on the worker: leave one of them out');
    if (apiKeyFile !== undefined) refuse('apiKeyFile', 'the server of teacher.serve gets no key');
    if (mode !== 'online') refuse('mode', 'the server of teacher.serve is asked one by one: set it to online');
    if (storeAnswers) refuse('storeAnswers', 'the server of teacher.serve keeps no answers when it is stopped');
  });
