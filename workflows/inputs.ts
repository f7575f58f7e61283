/**
 * The inputs of the workflows, each with its schema. They come from whoever may start a workflow: each is parsed before
 * anything is done with it, and a wrong one ends the workflow at once, with a sentence. The schemas run in the workflows'
 * sandbox too, so they are stricter only as far as the stored histories allow.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { WorkflowInfo } from '@temporalio/workflow';
import { z } from 'zod';
import { describeIssue } from '../src/core/describe-issue.ts';
import { pollSeconds, timeoutMinutes, waitHours } from '../src/core/durations.ts';
import { cut } from '../src/core/input-error.ts';
import type { Stop } from '../src/evaluation/stop-rules.ts';
import type { GenerationPlan } from '../src/round/asking/plan.ts';
import type { Verdict } from '../src/round/gate/gate.ts';
import { defineCarriedState, isRecord } from './carried-state.ts';
import { executionSchema, ownerReferenceSchema } from './owner-reference.ts';

// The sandbox has no `eval`, which the compiled parsers of zod need.
z.config({ jitless: true });

const text = z.string().min(1).max(4096);
const runName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    'use letters, digits, ".", "_" and "-", at most 128, and start with a letter or a digit',
  );
const count = z.int().nonnegative();
const queue = z.string().min(1).max(1000);
// No history has more: each would have three events.
const mostShards = 100_000;
const shards = z.int().positive().max(mostShards);

const queuesSchema = z.strictObject({ cpu: queue, gpu: queue, teacher: queue });

/** Why no further step starts. */
export type Pause = z.output<typeof pauseSchema>;
export const pauseSchema = z.strictObject({
  /** Given by the person. */
  reason: z.string().optional(),
});

// What workflows hand to each other may have fields of a newer version, which are left out; what a person writes may not.

/** What the workflows need to know of the frozen config (`<directory>/config.json`). */
export type RunPlan = z.output<typeof runPlanSchema>;
const runPlanSchema = z
  .object({
    run: runName,
    /** Absolute path of the run directory, shared by all workers, or the run's URI in a store. */
    directory: text,
    configHash: text,
    /** Data-engine rounds after round 0. */
    rounds: count,
    roundsPerExecution: z.int().positive(),
    evaluationShards: shards,
    /** Shards that the images are embedded in; absent when it is one. */
    embeddingShards: shards.optional(),
    /** Shards of a step that run on the GPU workers, or wait for one, at a time. */
    maxConcurrentShards: z.int().positive().optional(),
    hasTest: z.boolean(),
    /** What each round's model is scored on, by name; `validation` is among them. */
    evaluationSets: z.array(text),
    /** Whether rounds have the step `verify`. */
    verifies: z.boolean().optional(),
    /** Whether the teacher judges written answers before an evaluation is joined. */
    judges: z.boolean().optional(),
    /** Whether the GPU workers start the teacher's server. */
    servesTeacher: z.boolean().optional(),
    /** Whether rounds have the step `check-serving`. */
    checksServing: z.boolean().optional(),
    /** Whether rounds have the step `select`. */
    selects: z.boolean().optional(),
    /** Whether rounds wait until a person has decided about all samples. */
    reviews: z.boolean().optional(),
    queues: queuesSchema,
    finetuneTimeoutMinutes: timeoutMinutes,
    /** What people are notified of; absent where there is no webhook. */
    notifyOn: z.array(z.enum(['round', 'failed', 'approval', 'done'])).optional(),
    /** Under the policy `approve`: how long a round waits for a person, and what is decided when none answers. */
    approval: z
      .strictObject({
        timeoutHours: waitHours,
        defaultDecision: z.enum(['accept', 'reject', 'gate']) satisfies z.ZodType<Verdict['decision']>,
      })
      .optional(),
    /** Rounds have the step `discover`, whose types may wait for a person so long. */
    discovery: z.object({ timeoutHours: waitHours }).optional(),
    /** How long a failed step waits for a person; without it, the run fails at once. */
    failedStep: z.looseObject({ waitHours }).optional(),
    /** After how long a step of the GPU workers has it looked up whether there are any. Default: 2. */
    lookForWorkersMinutes: timeoutMinutes.optional(),
    /** Whether the namespace knows the search attributes. */
    searchAttributes: z.boolean().optional(),
  })
  .superRefine(({ evaluationSets, evaluationShards }, context) => {
    const all = evaluationSets.length * evaluationShards;
    if (all <= mostShards) return;
    const message = `all sets together have ${all} shards, and a round may have ${mostShards}`;
    context.addIssue({ code: 'custom', path: ['evaluationShards'], message });
  });

export const stopSchema = z.strictObject({
  rule: z.enum(['rounds', 'target', 'plateau', 'budget', 'nothing-new']),
  reason: z.string(),
}) satisfies z.ZodType<Stop>;

/** One row of the table of rounds. Accuracies in percent, errors as a share of the question type's questions. */
export type RoundSummary = z.output<typeof roundSummarySchema>;
export const roundSummarySchema = z.object({
  round: count,
  /** What the main score of questions of your own is; the two accuracies are then that score. None for A-OKVQA's. */
  measure: z.string().optional(),
  multipleChoice: z.number(),
  directAnswer: z.number(),
  testMultipleChoice: z.number().optional(),
  testDirectAnswer: z.number().optional(),
  badCases: count,
  /** By question type; absent for older rounds, to keep payloads small. The report has all. */
  errorByType: z.record(z.string(), z.number()).optional(),
  samplesAdded: count,
  samplesRejected: count,
  datasetVersion: z.string().optional(),
  teacherTokens: z.strictObject({ prompt: z.number(), completion: z.number() }),
  /** Whether the round is built upon, and how its model differs from that of the last good round. */
  gate: z
    .object({
      accepted: z.boolean(),
      by: z.enum(['first', 'policy', 'test', 'person', 'default']),
      reason: z.string(),
      lastGood: count,
      stop: stopSchema.optional(),
      builtOn: count.optional(),
      change: z.number(),
      pValue: z.number(),
      remembered: count,
      forgotten: count,
    })
    .optional(),
  /** Working time of each step. */
  seconds: z.record(z.string(), z.number()),
});

/** What the next execution of a run continues from. */
export type DataEngineState = z.output<typeof dataEngineStateSchema>;
const dataEngineStateSchema = z.strictObject({
  plan: runPlanSchema,
  nextRound: count,
  rounds: z.array(roundSummarySchema),
  /** What a person should know although nothing is wrong. */
  notes: z.array(z.string()).optional(),
  paused: pauseSchema.optional(),
});
export const dataEngineState = defineCarriedState(dataEngineStateSchema, [
  // At first the teacher was asked on the queue of the CPU workers, which poll its own queue now too.
  ({ plan, ...state }) => ({ ...state, plan: withTeacherQueue(plan) }),
]);

function withTeacherQueue(plan: unknown): unknown {
  if (!isRecord(plan) || !isRecord(plan.queues) || typeof plan.queues.cpu !== 'string') return plan;
  return { ...plan, queues: { teacher: `${plan.queues.cpu}-teacher`, ...plan.queues } };
}

/** `temporal workflow start --type dataEngine --input '{"config":"configs/demo.yaml"}'` */
export type DataEngineInput = z.output<typeof dataEngineInputSchema>;
export const dataEngineInputSchema = z.strictObject({
  config: text.describe('Path of the YAML config, as the CPU worker sees it.'),
  dataRoot: text.optional().describe("Instead of the config's data.root."),
  run: runName.optional().describe("Instead of the config's run."),
  seed: z.int().optional().describe("Instead of the config's seed."),
  rounds: count.optional().describe("Instead of the config's rounds."),
  more: z
    .int()
    .positive()
    .optional()
    .describe(
      "Instead of rounds: how many after those that are in the run's directory already, as a nightly run has it. A directory without any gets round 0 first.",
    ),
  samplingStrategy: z
    .enum(['adaptive', 'difficulty-window', 'expected-gain', 'high-loss', 'uniform'])
    .optional()
    .describe("Instead of the config's sampling.strategy."),
  takeover: z
    .boolean()
    .optional()
    .describe("Takes the run over from another workflow, or a step by hand, that works on it or can't be asked."),
  state: dataEngineState.schema.optional().describe('Set by continue-as-new only.'),
});

export type RoundInput = z.output<typeof roundInputSchema>;
export const roundInputSchema = z.strictObject({
  plan: runPlanSchema,
  round: count,
  /** The run's execution; absent for a round of its own. */
  owner: executionSchema.optional(),
  paused: pauseSchema.optional(),
});

export const estimateSchema = z.object({
  requests: z.number(),
  promptTokens: z.number(),
  completionTokens: z.number(),
  cost: z.number(),
  maximumCost: z.number(),
  mostPerRequest: z.number(),
  seconds: z.number(),
});

const generationPlanSchema = z.object({
  done: z.boolean(),
  mode: z.enum(['online', 'batch']),
  chunks: count,
  chunkSize: count,
  requests: count,
  maxConcurrentChunks: count,
  estimate: estimateSchema,
  currency: z.string().optional(),
  spent: z.number(),
  limit: z.number().optional(),
  whenReached: z.enum(['wait', 'finish']),
  poll: z.object({ seconds: pollSeconds, maximumSeconds: pollSeconds }),
  servedOn: queue.optional(),
}) satisfies z.ZodType<GenerationPlan>;

export type OpenChunk = z.output<typeof openChunkSchema>;
const openChunkSchema = z.object({
  chunk: count,
  /** What it has cost since the generation started. */
  cost: z.number(),
  batch: z.string().optional(),
});

/** What the next execution continues from. */
export type GenerationState = z.output<typeof generationStateSchema>;
const generationStateSchema = z.object({
  plan: generationPlanSchema,
  /** Chunks from here on have not started. */
  nextChunk: count,
  /** Chunks to continue: their batch is under way, or their budget was too small. */
  open: z.array(openChunkSchema),
  answered: count,
  givenUp: count,
  /** What the chunks that have ended cost since the generation started. */
  spent: z.number(),
  toppedUp: z.number(),
  /** A person has ended the generation with the answers there are. */
  finishEarly: z.boolean(),
});
export const generationState = defineCarriedState(generationStateSchema, [
  // Only the number was added.
  (state) => state,
]);

export type GenerationInput = z.output<typeof generationInputSchema>;
export const generationInputSchema = z.strictObject({
  runDirectory: text,
  round: count,
  queues: queuesSchema.omit({ gpu: true }),
  owner: ownerReferenceSchema.optional(),
  /** Set by continue-as-new only. */
  state: generationState.schema.optional(),
  paused: z.boolean().optional(),
});

export const maxSamples = 8;

/** `temporal workflow start --type dataEnginePromptOptimization --input '{"config":"configs/demo.yaml"}'` */
export type PromptOptimizationInput = z.output<typeof promptOptimizationInputSchema>;
export const promptOptimizationInputSchema = z.strictObject({
  config: text.describe('Path of the YAML config, as the CPU worker sees it.'),
  dataRoot: text.optional().describe("Instead of the config's data.root."),
  seed: z.int().optional().describe("Instead of the config's seed."),
  samples: z
    .int()
    .min(1)
    .max(maxSamples)
    .optional()
    .describe('Images to make sample generations about; later iterations take as many fresh ones too. Default: 4.'),
  forRun: runName
    .optional()
    .describe(
      "The run that the prompt is for: it starts from the run's prompt and bad cases, and the run's next round uses it.",
    ),
});

/**
 * Parses the input of a workflow or of an activity.
 *
 * @throws ApplicationFailure of type InputError, not retryable, that names the field
 */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  // A payload that can't be decoded throws such a failure when it is looked at.
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw ApplicationFailure.nonRetryable(
    `The input is wrong: ${cut(describeProblem(schema, parsed.error))}`,
    'InputError',
  );
}

/**
 * Parses the input of a workflow that continues as new. A state is taken only where this execution continues another as
 * new: the input of a retry, and of later executions of a cron, is as its starter wrote it.
 *
 * @param info the workflow's own
 * @throws ApplicationFailure as `parseInput` does, and for a state that no execution handed over
 */
export function parseContinued<S extends z.ZodType<{ state?: unknown }>>(
  schema: S,
  input: unknown,
  { continuedFromExecutionRunId, attempt, cronSchedule }: ExecutionInfo,
): z.output<S> {
  const parsed = parseInput(schema, input);
  const isContinued = continuedFromExecutionRunId !== undefined && attempt === 1 && cronSchedule === undefined;
  if (parsed.state === undefined || isContinued) return parsed;
  throw ApplicationFailure.nonRetryable(
    'The input is wrong: state: is set by continue-as-new only, and not taken in a retry or a cron. Leave it out: ' +
      'finished steps are not repeated',
    'InputError',
  );
}

type ExecutionInfo = Pick<WorkflowInfo, 'continuedFromExecutionRunId' | 'attempt' | 'cronSchedule'>;

function describeProblem(schema: z.ZodType, error: z.ZodError): string {
  // An unknown key is said first: it is often the reason why a needed key seems to be missing.
  const issue = error.issues.find(({ code }) => code === 'unrecognized_keys') ?? error.issues[0];
  if (issue === undefined) return 'it does not have the expected shape';
  const { path: place, problem } = describeIssue(issue);
  const path = place.map(String);
  if (issue.code === 'unrecognized_keys') {
    const known =
      path.length === 0 && schema instanceof z.ZodObject
        ? `. Known are ${Object.keys(schema.shape)
            .filter((key) => key !== 'state')
            .join(', ')}`
        : '';
    return `${[...path, issue.keys[0] ?? ''].join('.').slice(0, 200)}: no such key${known}`;
  }
  if (path.length === 0) return `${problem}. Give an object, such as {"config": "configs/demo.yaml"}`;
  return `${path.join('.').slice(0, 200)}: ${problem}`;
}
