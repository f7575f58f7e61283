import { z } from 'zod';

const count = z.int().positive();
const path = z.string().min(1);

/** The teacher that writes new samples, and how it is asked. */
export const teacherSchema = z.strictObject({
  provider: z.enum(['local', 'openai']).default('openai').describe('local: the rule-based server of the demo.'),
  baseUrl: z.url().optional().describe('Any server that speaks the chat-completions protocol.'),
  model: z.string().min(1).default('gpt-4'),
  apiKeyVariable: z.string().min(1).default('OPENAI_API_KEY').describe('Environment variable with the key.'),
  temperature: z.number().min(0).max(2).default(0.7),
  topP: z.number().gt(0).max(1).default(0.9),
  maximumTokens: count.default(800),
  prompt: path.default('configs/prompts/generate-v1.md'),
  concurrency: count.default(4).describe('Requests under way at once.'),
  requestTimeoutSeconds: z.number().positive().default(120),
  mistakeRate: z.number().min(0).max(1).default(0).describe('local only: share of answers made wrong on purpose.'),
});
