import { z } from 'zod';

const count = z.int().positive();
const path = z.string().min(1);

const limitsSchema = z
  .strictObject({
    requestsPerMinute: z.number().positive().optional().describe("Default: no limit but the teacher's own."),
    tokensPerMinute: z.number().positive().optional().describe('Prompt and longest answer together, as OpenAI counts.'),
  })
  .describe('What this run may use of the account, over all workers. Runs beside it need a share of their own.');

const budgetSchema = z.strictObject({
  limit: z.number().nonnegative().describe("All that the run's rounds may cost, in the currency of the prices."),
  whenReached: z
    .enum(['wait', 'finish'])
    .default('wait')
    .describe('wait: for a top-up. finish: end the round with the answers there are.'),
});

const batchSchema = z.strictObject({
  requests: count.max(50_000).default(5000).describe('Requests in a batch.'),
  maxConcurrent: count.default(4).describe('Batches under way at once.'),
  pollSeconds: z.number().positive().default(15).describe('First wait before looking after a batch; it grows.'),
  maximumPollSeconds: z.number().positive().default(300).describe('Longest wait between two looks.'),
});

/** The teacher that writes new samples, and how it is asked. */
export const teacherSchema = z.strictObject({
  provider: z
    .string()
    .min(1)
    .default('openai')
    .describe('openai, azure, local (the rule-based server of the demo), or one that the program adds.'),
  baseUrl: z.url().optional().describe('Any server that speaks the chat-completions protocol.'),
  apiVersion: z.string().min(1).optional().describe("azure only: the protocol's version."),
  model: z.string().min(1).default('gpt-4').describe('azure: the name of the deployment.'),
  apiKeyVariable: z.string().min(1).default('OPENAI_API_KEY').describe('Environment variable with the key.'),
  apiKeyFile: path.optional().describe('File with the key, instead of the variable, read whenever it is used.'),
  temperature: z.number().min(0).max(2).default(0.7).describe('Higher writes more varied questions.'),
  topP: z.number().gt(0).max(1).default(0.9).describe('Nucleus sampling.'),
  maximumTokens: count.default(800).describe('Longest answer.'),
  prompt: path
    .default('configs/prompts/generate-v1.md')
    .describe('Prompt file; its version is kept with every sample.'),
  mode: z.enum(['online', 'batch']).default('online').describe('batch: the Batch API, at half the price in a day.'),
  answerFormat: z.enum(['text', 'structured']).default('text').describe('structured: JSON by a schema.'),
  attachImage: z.boolean().default(false).describe('Send the image along, to a model that sees.'),
  storeAnswers: z
    .boolean()
    .default(false)
    .describe('Have the teacher keep its answers, so that one that was lost on the way is fetched and not paid twice.'),
  concurrency: count.default(4).describe('Requests under way at once, over all workers.'),
  chunkRequests: count.max(5000).default(250).describe('Requests that one activity asks.'),
  maxConcurrentChunks: count.max(100).default(4).describe('Activities that ask at once, over all workers.'),
  limits: limitsSchema.prefault({}),
  budget: budgetSchema.optional(),
  prices: path.default('configs/prices.yaml').describe('What models cost, for estimates and the budget.'),
  batch: batchSchema.prefault({}),
  requestTimeoutSeconds: z
    .number()
    .positive()
    .default(120)
    .describe('A request without an answer this long is sent again.'),
  mistakeRate: z.number().min(0).max(1).default(0).describe('local only: share of answers made wrong on purpose.'),
});
