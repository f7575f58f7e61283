/**
 * Result and messages of `dataEnginePromptOptimization`.
 */
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { TaskQueues } from '../src/config/workflow-schemas.ts';

export interface PromptPlan {
  /** Absolute path of the folder with all prompts, samples and verdicts. */
  directory: string;
  queues: Pick<TaskQueues, 'cpu' | 'teacher'>;
}

/** A prompt, and sample generations made with it. */
export interface PromptIteration {
  iteration: number;
  samples: { id: string; images: 'same' | 'fresh'; dropped: boolean }[];
  samplesFile: string;
  promptFile: string;
  /** What changed since the iteration before. */
  diffFile?: string;
}

export interface SampleVerdict {
  /** The sample's id. */
  sample: string;
  verdict: 'good' | 'bad';
  /** What is wrong; required when it is bad. */
  comment?: string;
}

export interface PromptDecision {
  /** revise: have the teacher change the prompt; accept: make this one a version; stop: end with none. */
  action: 'revise' | 'accept' | 'stop';
  /** What else the prompt should do. */
  comment?: string;
}

export interface AcceptedPrompt {
  version: string;
  file: string;
  /** The first round of the run that uses it. */
  fromRound?: number;
}

export interface PromptProgress {
  phase: 'preparing' | 'making samples' | 'waiting for verdicts' | 'revising' | 'accepting' | 'done';
  directory?: string;
  current?: PromptIteration;
  verdicts: SampleVerdict[];
  /** The last change, cut to 4,000 characters; the whole is in `current.diffFile`. */
  diff?: string;
  /** Why the last revision gave no prompt. */
  problem?: string;
  /** Of the iterations before: how many samples were judged good and bad. */
  history: { iteration: number; good: number; bad: number }[];
}

export interface PromptOptimizationResult {
  /** Absent when the person stopped. */
  accepted?: AcceptedPrompt;
  iterations: number;
  directory: string;
}

export const promptProgressQuery = defineQuery<PromptProgress>('progress');
/** Judges a sample of the current iteration; judging it again replaces the verdict. Returns how many are left. */
export const verdictUpdate = defineUpdate<{ left: number }, [SampleVerdict]>('verdict');
/** Decides about the current iteration. */
export const decideUpdate = defineUpdate<{ iteration: number }, [PromptDecision]>('decide');

export const maxCommentLength = 500;
