import { z } from 'zod';
import { answerModes, benchmarkNames, benchmarkOf, promptNames } from '../evaluation/benchmarks/index.ts';
import { pathIn } from './config-paths.ts';
import { computeDtypes, type NumberFormats, weightDtypes } from './finetune-schema.ts';
import { questionSettingsSchema } from './questions-schema.ts';

const count = z.int().positive();
const path = pathIn('the data root');

const defaultModes = benchmarkNames.map((name) => `${benchmarkOf(name).answerModes[0]} (${name})`);

const benchmarkSchema = z
  .strictObject({
    benchmark: z.enum(benchmarkNames).describe('The benchmark that the questions are from.'),
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be made of small letters, digits, ".", "_" and "-"')
      .optional()
      .describe(
        'Names its folder and its rows in the report. Default: the benchmark, with -blind added where blind is set.',
      ),
    file: path.describe('The official file, under data.root.'),
    images: path.optional().describe('Its image folder under data.root, unless the file contains the images.'),
    limit: count.optional().describe('Take only this many questions, from the start of the file.'),
    blind: z.boolean().default(false).describe('Leave the image out: shows what the text alone gives away.'),
    answers: z
      .enum(answerModes)
      .optional()
      .describe(
        `ranked: the choice of the lowest loss. generated: the model writes its answer. Default: ${defaultModes.join(', ')}.`,
      ),
    prompt: z
      .enum(promptNames)
      .default('training')
      .describe(
        "How written answers are asked for: in the words of training, or in OpenCompass's, by which the reference system's MMBench is (mmbench only).",
      ),
    questions: questionSettingsSchema
      .optional()
      .describe('How questions of your own are read and scored (benchmark `questions` only).'),
  })
  .superRefine(({ benchmark, answers, prompt, questions }, context) => {
    const problem = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    const { answerModes: modes, prompts = ['training'], takesQuestionSettings = false } = benchmarkOf(benchmark);
    if (questions !== undefined && !takesQuestionSettings) {
      problem('questions', `${benchmark} is read and scored as its authors say`);
    }
    if (answers !== undefined && !modes.includes(answers)) {
      problem('answers', `${benchmark} is ${modes.join(' or ')} only`);
    }
    if (!prompts.includes(prompt)) problem('prompt', `${benchmark} is asked for in the words of training only`);
    else if (prompt !== 'training' && (answers ?? modes[0]) !== 'generated') {
      problem('prompt', 'only written answers are asked for so: set answers to generated');
    }
  });

/** How the merged model is scored, and on which benchmarks. */
export const evaluateSchema = z
  .strictObject({
    engine: z
      .enum(['trainer', 'endpoint'])
      .default('trainer')
      .describe(
        'What answers the questions. endpoint: a server that the GPU worker starts with the merged model (`serve`), as `dataengine evaluate --endpoint` asks one; see docs/endpoints.md.',
      ),
    serve: z
      .string()
      .min(1)
      .optional()
      .describe("engine: endpoint: the server's name in the worker's settings (`serve`), which have its command."),
    concurrency: count.default(8).describe('engine: endpoint: open requests.'),
    batchSize: count.default(16).describe('Questions scored at once.'),
    computeDtype: z
      .enum(computeDtypes)
      .optional()
      .describe('Data type of matrix products. Default: finetune.computeDtype.'),
    weightDtype: z
      .enum(weightDtypes)
      .optional()
      .describe("Data type of the language model's matrices in memory. Default: finetune.weightDtype."),
    keyValueCache: z
      .boolean()
      .default(true)
      .describe(
        'trainer: torchrun, model families of this program: what the choices of a question have in common is computed once, and each token of a written answer once. false: each choice and each token from the start.',
      ),
    // Each takes three events of the round's history, for each set of questions.
    shards: count.max(1000).default(1).describe('Shards of each question set, scored in parallel by the GPU workers.'),
    benchmarks: z
      .array(benchmarkSchema)
      .default([])
      .describe('Scored every round, in addition to data.validation and data.test.'),
    directAnswers: z
      .enum(['choice', 'generated'])
      .default('choice')
      .describe(
        'Direct answers to data.validation and data.test: the words of the choice, or written freely to the question without its choices.',
      ),
    bootstrapSamples: count.default(1000).describe('Bootstrap resamples for the confidence intervals.'),
  })
  .superRefine(({ engine, serve }, context) => {
    const problem = (message: string) => context.addIssue({ code: 'custom', path: ['serve'], message });
    if (engine === 'endpoint' && serve === undefined) {
      problem('is missing: name a server of the worker settings, which have its command');
    }
    if (engine === 'trainer' && serve !== undefined) problem('is for engine: endpoint');
  });

/** The number formats of a run's evaluations: those of its finetune, unless the config says otherwise. */
export function evaluationNumberFormats({
  evaluate,
  finetune,
}: {
  evaluate: { [format in keyof NumberFormats]?: NumberFormats[format] | undefined };
  finetune: NumberFormats;
}): NumberFormats {
  return {
    computeDtype: evaluate.computeDtype ?? finetune.computeDtype,
    weightDtype: evaluate.weightDtype ?? finetune.weightDtype,
  };
}
