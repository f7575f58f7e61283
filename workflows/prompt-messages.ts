/**
 * Result and messages of `dataEnginePromptOptimization`.
 */
import { z } from 'zod';
import type { TaskQueues } from '../src/config/workflow-schemas.ts';
import { describedQuery, describedUpdate } from './message.ts';

export const maxCommentLength = 500;

const count = z.int().nonnegative();
const commentProblem = `a text of at most ${maxCommentLength} characters`;
const comment = z.string({ error: commentProblem }).max(maxCommentLength, commentProblem).optional();

export interface PromptPlan {
  /** Absolute path of the folder with all prompts, samples and verdicts. */
  directory: string;
  queues: Pick<TaskQueues, 'cpu' | 'teacher'>;
}

/** A prompt, and sample generations made with it. */
export type PromptIteration = z.output<typeof promptIterationSchema>;
const promptIterationSchema = z.object({
  iteration: count,
  samples: z.array(z.object({ id: z.string(), images: z.enum(['same', 'fresh']), dropped: z.boolean() })),
  samplesFile: z.string(),
  promptFile: z.string(),
  /** What changed since the iteration before. */
  diffFile: z.string().optional(),
});

export type SampleVerdict = z.output<typeof sampleVerdictSchema>;
const sampleVerdictSchema = z.strictObject({
  /** The sample's id. */
  sample: z.string().max(1000),
  verdict: z.enum(['good', 'bad'], { error: 'good or bad' }),
  /** What is wrong; required when it is bad. */
  comment,
});

export type PromptDecision = z.output<typeof promptDecisionSchema>;
const promptDecisionSchema = z.strictObject({
  /** revise: have the teacher change the prompt; accept: make this one a version; stop: end with none. */
  action: z.enum(['revise', 'accept', 'stop'], { error: 'revise, accept or stop' }),
  /** What else the prompt should do. */
  comment,
});

export interface AcceptedPrompt {
  version: string;
  file: string;
  /** The first round of the run that uses it. */
  fromRound?: number;
}

export type PromptProgress = z.output<typeof promptProgressSchema>;
const promptProgressSchema = z.object({
  phase: z.enum(['preparing', 'making samples', 'waiting for verdicts', 'revising', 'accepting', 'done']),
  directory: z.string().optional(),
  current: promptIterationSchema.optional(),
  verdicts: z.array(sampleVerdictSchema),
  /** The last change, cut to 4,000 characters; the whole is in `current.diffFile`. */
  diff: z.string().optional(),
  /** Why the last revision gave no prompt. */
  problem: z.string().optional(),
  /** Of the iterations before: how many samples were judged good and bad. */
  history: z.array(z.object({ iteration: count, good: count, bad: count })),
});

export interface PromptOptimizationResult {
  /** Absent when the person stopped. */
  accepted?: AcceptedPrompt;
  iterations: number;
  directory: string;
}

export const promptProgressQuery = describedQuery('progress', {
  description: 'The current prompt, its samples, and the verdicts on them.',
  output: promptProgressSchema,
});
export const verdictUpdate = describedUpdate('verdict', {
  description:
    'Judges a sample of the current iteration; judging it again replaces the verdict. Returns how many are left.',
  input: sampleVerdictSchema,
  output: z.object({ left: z.int() }),
});
export const decideUpdate = describedUpdate('decide', {
  description: 'Decides about the current iteration: revise, accept or stop.',
  input: promptDecisionSchema,
  output: z.object({ iteration: count }),
});
