/** The input of `dataEngineEndpointEvaluation`, which activities take too. */
import { z } from 'zod';

const text = z.string().min(1).max(4096);
const count = z.int().positive();

/**
 * The options of `dataengine evaluate --endpoint`, by their names; paths as the worker sees them.
 * `temporal workflow start --type dataEngineEndpointEvaluation --input '{"benchmark":"mmbench","file":"…","endpoint":"…"}'`
 */
export type EndpointEvaluationInput = z.output<typeof endpointEvaluationInputSchema>;
export const endpointEvaluationInputSchema = z.strictObject({
  endpoint: text.describe('Address of the server, such as http://127.0.0.1:8000/v1.'),
  modelName: text.optional().describe('The model at the server. Default: its only one.'),
  benchmark: text.optional().describe('A set of the config, or with a file the name of a benchmark.'),
  tsv: text.optional().describe("A file of VLMEvalKit's layout, in place of benchmark and file."),
  file: text.optional(),
  images: text.optional(),
  limit: count.optional(),
  blind: z.boolean().optional(),
  answers: text.optional(),
  prompt: text.optional(),
  metric: text.optional(),
  tolerance: z.number().min(0).max(1).optional(),
  instruction: text.optional(),
  format: text.optional(),
  skipInvalid: z.boolean().optional(),
  config: text.optional().describe('A config, as the worker sees it, whose sets can be named.'),
  dataRoot: text.optional().describe("Instead of the config's data.root."),
  seed: z.int().optional(),
  exif: text.optional(),
  output: text
    .optional()
    .describe("Folder for the evaluations. Default: evaluations/endpoints in the worker's first folder of runs."),
  concurrency: count.max(1000).optional(),
  requestsPerMinute: count.optional(),
  requestTimeout: count.max(86_400).optional().describe('In seconds.'),
  apiKeyVariable: text.optional(),
  apiKeyFile: text.optional(),
  teacherQueue: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe("Default: the workflow's own queue, with -teacher added."),
});
