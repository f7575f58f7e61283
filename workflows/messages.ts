/**
 * Inputs, results and messages of the workflows. References and small numbers only: the data stays in the run directory.
 */
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { StepReference } from '../activities/references.ts';
import type { Config } from '../src/config/schema.ts';
import type { TaskQueues } from '../src/config/workflow-schemas.ts';
import type { Stop } from '../src/evaluation/stop-rules.ts';
import type { GenerationPlan } from '../src/round/asking/plan.ts';
import type { Verdict } from '../src/round/gate/gate.ts';
import type { GateOutcome } from '../src/round/gate/results.ts';

/** `temporal workflow start --type dataEngine --input '{"config":"configs/demo.yaml"}'` */
export interface DataEngineInput {
  /** Path of the YAML config, as the CPU worker sees it. */
  config: string;
  /** Overrides of the config. */
  dataRoot?: string;
  run?: string;
  seed?: number;
  rounds?: number;
  /**
   * Instead of `rounds`: how many rounds after those that are in the run's directory already, as a nightly run has it. A
   * directory without any gets round 0 first.
   */
  more?: number;
  samplingStrategy?: 'adaptive' | 'expected-gain' | 'uniform';
  /** Set only by continue-as-new. */
  state?: DataEngineState;
}

/** What the next execution continues from. */
export interface DataEngineState {
  plan: RunPlan;
  nextRound: number;
  rounds: RoundSummary[];
  paused?: Pause;
}

/** What the workflows need to know of the frozen config (`<directory>/config.json`). */
export interface RunPlan {
  run: string;
  /** Absolute path of the run directory, shared by all workers, or the run's URI in a store. */
  directory: string;
  configHash: string;
  /** Data-engine rounds after round 0. */
  rounds: number;
  roundsPerExecution: number;
  evaluationShards: number;
  /** Shards that the images are embedded in; absent when it is one. */
  embeddingShards?: number;
  /** Shards of a step that run on the GPU workers, or wait for one, at a time. */
  maxConcurrentShards?: number;
  hasTest: boolean;
  /** What each round's model is scored on, by name; `validation` is among them. */
  evaluationSets: string[];
  /** Whether rounds have the step `verify`. */
  verifies?: boolean;
  queues: TaskQueues;
  finetuneTimeoutMinutes: number;
  /** What people are notified of; absent where there is no webhook. */
  notifyOn?: Config['notify']['on'];
  /** Under the policy `approve`: how long a round waits for a person, and what is decided when none answers. */
  approval?: { timeoutHours: number; defaultDecision: Verdict['decision'] };
  /** How long a failed step waits for a person; without it, the run fails at once. */
  failedStep?: { waitHours: number };
  /** Whether the namespace knows the search attributes. */
  searchAttributes?: boolean;
}

export interface RoundInput {
  plan: RunPlan;
  round: number;
  paused?: Pause;
}

/** A round that ended early, because there was nothing new to learn from. It counts as not started. */
export interface EndedEarly {
  round: number;
  endedEarly: string;
}

/** One row of the table of rounds. Accuracies in percent, errors as a share of the question type's questions. */
export interface RoundSummary {
  round: number;
  multipleChoice: number;
  directAnswer: number;
  testMultipleChoice?: number;
  testDirectAnswer?: number;
  badCases: number;
  /** By question type; absent for older rounds, to keep payloads small. The report has all. */
  errorByType?: Record<string, number>;
  samplesAdded: number;
  samplesRejected: number;
  datasetVersion?: string;
  teacherTokens: { prompt: number; completion: number };
  /** Whether the round is built upon, and how its model differs from that of the last good round. */
  gate?: Omit<GateOutcome, 'seconds' | 'reused'>;
  /** Working time of each step. */
  seconds: Record<string, number>;
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

export interface RoundProgress {
  round: number;
  steps: StepRecord[];
}

/** Why no further step starts. */
export interface Pause {
  /** Given by the person. */
  reason?: string;
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

export interface GenerationInput extends StepReference {
  queues: Pick<TaskQueues, 'cpu' | 'teacher'>;
  /** Set only by continue-as-new. */
  state?: GenerationState;
  paused?: boolean;
}

/** What the next execution continues from. */
export interface GenerationState {
  plan: GenerationPlan;
  /** Chunks from here on have not started. */
  nextChunk: number;
  /** Chunks to continue: their batch is under way, or their budget was too small. */
  open: OpenChunk[];
  answered: number;
  givenUp: number;
  /** What the chunks that have ended cost since the generation started. */
  spent: number;
  toppedUp: number;
  /** A person has ended the generation with the answers there are. */
  finishEarly: boolean;
}

export interface OpenChunk {
  chunk: number;
  /** What it has cost since the generation started. */
  cost: number;
  batch?: string;
}

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
