/**
 * Results and messages of the workflows; `inputs.ts` has their inputs. References and small numbers only: the data stays in
 * the run directory.
 */
import { z } from 'zod';
import type { Scores } from '../src/evaluation/evaluation-files.ts';
import { questionTypesSchema } from '../src/generation/question-type.ts';
import { estimateSchema, pauseSchema, roundSummarySchema, stopSchema } from './inputs.ts';
import { describedQuery, describedUpdate, nothing } from './message.ts';

const count = z.int().nonnegative();

/** The scores of a server, without those of groups, and the folder on the worker's disk that has all. */
export interface EndpointEvaluation {
  scores: Scores;
  folder: string;
}

/** A round that ended early, because there was nothing new to learn from. It counts as not started. */
export interface EndedEarly {
  round: number;
  endedEarly: string;
}

export type DataEngineResult = z.output<typeof dataEngineResultSchema>;
export const dataEngineResultSchema = z.object({
  run: z.string(),
  directory: z.string(),
  report: z.string(),
  /** The round whose model is the one to use. */
  lastGood: count,
  /** Why it ended. */
  stop: stopSchema,
  rounds: z.array(roundSummarySchema),
});

/** A step of the round that has started. */
export type StepRecord = z.output<typeof stepRecordSchema>;
export const stepRecordSchema = z.object({
  name: z.string(),
  state: z.enum(['running', 'waiting', 'done', 'paused', 'failed', 'skipped', 'canceled']),
  seconds: z.number().optional(),
  /** Its result in a few words, such as `loss 1.21`. */
  note: z.string().optional(),
});

/** A step that the run itself has done for a round. */
export type RunStepRecord = z.output<typeof runStepRecordSchema>;
const runStepRecordSchema = stepRecordSchema.extend({ round: count });

/**
 * What a run or a round is at: `waiting` is for a person, `no-worker` for one that polls the queue of the GPU workers,
 * `no-teacher` for a teacher that answers. The last three have ended.
 */
export type Standing = z.output<typeof standingSchema>;
const standingSchema = z.enum([
  'running',
  'paused',
  'waiting',
  'no-worker',
  'no-teacher',
  'completed',
  'failed',
  'canceled',
]);

/** `waits for a GPU worker`, `is running`: what follows the name of a run or a round. */
export function standingInWords(state: Standing): string {
  if (state === 'waiting') return 'waits for a person';
  if (state === 'no-worker') return 'waits for a GPU worker';
  return state === 'no-teacher' ? 'waits for its teacher' : `is ${state}`;
}

export type RoundProgress = z.output<typeof roundProgressSchema>;
export const roundProgressSchema = z.object({
  round: count,
  state: standingSchema,
  steps: z.array(stepRecordSchema),
});

/** A step that failed with all its retries, and waits for a person. */
export type WaitingStep = z.output<typeof waitingStepSchema>;
export const waitingStepSchema = z.object({
  /** Absent for a step of the run itself, such as the report. */
  round: count.optional(),
  step: z.string().max(100),
  problem: z.string().max(1000),
  /** Present when the step can be skipped. */
  skip: z.literal('step').optional(),
});

/** What a round asks a person for. */
export type Question = z.output<typeof questionSchema>;
export const questionSchema = z.enum(['decision', 'types', 'review']);

export type DataEngineProgress = z.output<typeof dataEngineProgressSchema>;
export const dataEngineProgressSchema = z.object({
  run: z.string().optional(),
  state: standingSchema,
  /** The run directory, once the config is read. */
  directory: z.string().optional(),
  round: count,
  rounds: count.optional(),
  /** Id of the round's workflow; its own query `progress` has the steps. */
  roundWorkflowId: z.string().optional(),
  /** The step of the run itself that is under way, or the round's that waits. */
  step: z.string().optional(),
  /** The last steps of the run itself that are done: the preparation of data, reports. */
  ownSteps: z.array(runStepRecordSchema).optional(),
  /** No further step starts until it is resumed. */
  paused: pauseSchema.optional(),
  /** The failed step that waits for `retryStep`, `skipStep` or `giveUp`. */
  waiting: waitingStepSchema.optional(),
  /** What the round waits for a person for. */
  asks: questionSchema.optional(),
  /** The queue that the round waits on, and that no worker polls. */
  unattended: z.string().optional(),
  /** Why the teacher gives no answers, while it is still tried. */
  teacher: z.string().optional(),
});

/** Of `dataEngine`. */
export const engineProgressQuery = describedQuery('progress', {
  description: 'The current round and step of the run, and what it waits for.',
  output: dataEngineProgressSchema,
});
/** Of `dataEngine`. */
export const roundsQuery = describedQuery('rounds', {
  description: 'The finished rounds, with their scores and decisions.',
  output: z.array(roundSummarySchema),
});
/** Of `dataEngineRound`. The numbers of the current step are in the heartbeat details of its activity. */
export const roundProgressQuery = describedQuery('progress', {
  description: 'The steps of the round so far.',
  output: roundProgressSchema,
});

const comment = z
  .string({ error: 'a text of at most 500 characters' })
  .max(500, 'a text of at most 500 characters')
  .optional();

/** A person's decision about a round. */
export type RoundDecision = z.output<typeof roundDecisionSchema>;
const decisionSchema = z.enum(['accept', 'reject'], { error: 'accept or reject' });
const roundDecisionSchema = z.strictObject({ decision: decisionSchema, comment });

/** Of `dataEngineRound`. Refused while the round does not wait for it. */
export const decideRoundUpdate = describedUpdate('decideRound', {
  description: 'Under the policy approve: decides whether the round is built upon.',
  input: roundDecisionSchema,
  output: z.object({ round: count, decision: decisionSchema }),
});

/** A person's approval of a round's discovered question types. */
export type TypesApproval = z.output<typeof typesApprovalSchema>;
const typesApprovalSchema = z.strictObject({
  /** Instead of those in the run's folder. */
  types: questionTypesSchema.max(200).optional(),
  comment,
});

/** Of `dataEngineRound`. Refused while it does not wait for that, and for a list that is none. */
export const approveTypesUpdate = describedUpdate('approveTypes', {
  description: 'With questionTypes.approve: manual: the discovered question types, or those given, may be used.',
  input: typesApprovalSchema.optional(),
  output: z.object({ round: count, types: count }),
});

/** Of `dataEngineRound`. Refused while it does not wait. */
export const samplesReviewedUpdate = describedUpdate('samplesReviewed', {
  description: 'With refine.review: manual: checks again whether all samples are decided.',
  input: nothing,
  output: z.object({ round: count }),
});

export type GenerationProgress = z.output<typeof generationProgressSchema>;
export const generationProgressSchema = z.object({
  round: count,
  state: z.enum(['starting', 'asking', 'paused', 'waiting for a top-up', 'joining', 'done', 'failed', 'canceled']),
  requests: count,
  answered: count,
  /** Chunks, or batches, under way. */
  underWay: count,
  /** What the run has cost so far, and may cost. */
  spent: z.number(),
  reserved: z.number(),
  limit: z.number().optional(),
  currency: z.string().optional(),
  estimate: estimateSchema.optional(),
  /** Why the teacher gives no answers, while it is still tried. */
  problem: z.string().optional(),
});

/** Of `dataEngineGeneration` and its like. */
export const generationProgressQuery = describedQuery('progress', {
  description: 'How many requests are answered, and what they have cost.',
  output: generationProgressSchema,
});

const amountProblem = 'a number greater than 0, in the currency of the prices';
export const topUpUpdate = describedUpdate('topUp', {
  description: "Adds to the run's budget, and returns the new limit.",
  input: z.strictObject({ amount: z.number({ error: amountProblem }).positive(amountProblem).max(1e9) }),
  output: z.number(),
});
export const finishEarlyUpdate = describedUpdate('finishEarly', {
  description: 'No further requests: the round continues with the answers there are.',
  input: nothing,
  output: z.void(),
});
