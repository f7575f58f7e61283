/**
 * Results and messages of the workflows; `inputs.ts` has their inputs. References and small numbers only: the data stays in
 * the run directory.
 */
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { Scores } from '../src/evaluation/evaluation-files.ts';
import type { Stop } from '../src/evaluation/stop-rules.ts';
import type { QuestionType } from '../src/generation/question-type.ts';
import type { GenerationPlan } from '../src/round/asking/plan.ts';
import type { Pause, RoundSummary } from './inputs.ts';

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

export interface DataEngineResult {
  run: string;
  directory: string;
  report: string;
  /** The round whose model is the one to use. */
  lastGood: number;
  /** Why it ended. */
  stop: Stop;
  rounds: RoundSummary[];
}

/** A step of the round that has started. */
export interface StepRecord {
  name: string;
  state: 'running' | 'waiting' | 'done' | 'paused' | 'failed' | 'skipped';
  seconds?: number;
  /** Its result in a few words, such as `loss 1.21`. */
  note?: string;
}

/** A step that the run itself has done for a round. */
export interface RunStepRecord extends StepRecord {
  round: number;
}

export interface RoundProgress {
  round: number;
  steps: StepRecord[];
}

/** A step that failed with all its retries, and waits for a person. */
export interface WaitingStep {
  /** Absent for a step of the run itself, such as the report. */
  round?: number;
  step: string;
  problem: string;
  /** Present when the step can be skipped. */
  skip?: 'step';
}

export interface DataEngineProgress {
  run?: string;
  /** The run directory, once the config is read. */
  directory?: string;
  round: number;
  rounds?: number;
  /** Id of the round's workflow; its own query `progress` has the steps. */
  roundWorkflowId?: string;
  /** The round's step under way. */
  step?: string;
  /** The last steps of the run itself that are done: the preparation of data, reports. */
  ownSteps?: RunStepRecord[];
  /** No further step starts until it is resumed. */
  paused?: Pause;
  /** The failed step that waits for `retryStep`, `skipStep` or `giveUp`. */
  waiting?: WaitingStep;
}

/** Of `dataEngine`: its current round and step. */
export const engineProgressQuery = defineQuery<DataEngineProgress>('progress');
/** Of `dataEngine`: the finished rounds. */
export const roundsQuery = defineQuery<RoundSummary[]>('rounds');
/** Of `dataEngineRound`: its steps so far. The numbers of the current step are in the heartbeat details of its activity. */
export const roundProgressQuery = defineQuery<RoundProgress>('progress');

/** A person's decision about a round. */
export interface RoundDecision {
  decision: 'accept' | 'reject';
  comment?: string;
}

/** Of `dataEngineRound`, under the policy `approve`: whether it is built upon. Refused while the round does not wait for it. */
export const decideRoundUpdate = defineUpdate<{ round: number; decision: RoundDecision['decision'] }, [RoundDecision]>(
  'decideRound',
);

/** A person's approval of a round's discovered question types. */
export interface TypesApproval {
  /** Instead of those in the run's folder. */
  types?: QuestionType[];
  comment?: string;
}

/**
 * Of `dataEngineRound`, with `questionTypes.approve: manual`: its question types may be used. Refused while it does not wait for
 * that, and for a list that is none.
 */
export const approveTypesUpdate = defineUpdate<{ round: number; types: number }, [TypesApproval]>('approveTypes');

/** Of `dataEngineRound`, with `refine.review: manual`: it checks again whether all samples are decided. Refused while it does not wait. */
export const samplesReviewedUpdate = defineUpdate<{ round: number }, []>('samplesReviewed');

export interface GenerationProgress {
  round: number;
  state: 'starting' | 'asking' | 'paused' | 'waiting for a top-up' | 'joining' | 'done';
  requests: number;
  answered: number;
  /** Chunks, or batches, under way. */
  underWay: number;
  /** What the run has cost so far, and may cost. */
  spent: number;
  reserved: number;
  limit?: number;
  currency?: string;
  estimate?: GenerationPlan['estimate'];
}

/** Of `dataEngineGeneration`: its progress. */
export const generationProgressQuery = defineQuery<GenerationProgress>('progress');
/** Of `dataEngineGeneration`: adds to the run's budget. Returns the new limit. */
export const topUpUpdate = defineUpdate<number, [{ amount: number }]>('topUp');
/** Of `dataEngineGeneration`: no further requests; the round continues with the answers there are. */
export const finishEarlyUpdate = defineUpdate<void, []>('finishEarly');
