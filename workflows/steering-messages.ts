/**
 * How a person steers a run. All updates go to the workflow `dataEngine`, which passes them on to its round: a person
 * need know one workflow id only.
 */
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { DataEngineInput, DataEngineProgress, Pause, WaitingStep } from './messages.ts';

export const maxReasonLength = 500;
export const maxAddedRounds = 1000;

/** What a person says about a failed step. */
export type Answer = 'retry' | 'skip' | 'giveUp';

/** A check that it is the step that the person means; without it, whatever step waits. */
export interface StepChoice {
  step?: string;
}

/** No further step begins, and no further request goes to the teacher; what is under way goes on to its end. */
export const pauseUpdate = defineUpdate<DataEngineProgress, [Pause?]>('pause');
export const resumeUpdate = defineUpdate<DataEngineProgress, []>('resume');
/** The failed step is tried again, with all its retries. */
export const retryStepUpdate = defineUpdate<WaitingStep, [StepChoice?]>('retryStep');
/** The failed step is left out, where it can be done without: the report. Refused for any other. */
export const skipStepUpdate = defineUpdate<WaitingStep, [StepChoice?]>('skipStep');
/** The run fails, with the error of the step. */
export const giveUpUpdate = defineUpdate<WaitingStep, [StepChoice?]>('giveUp');
/** More rounds than it was started with. Returns how many there will be after round 0. */
export const addRoundsUpdate = defineUpdate<{ rounds: number }, [{ more: number }]>('addRounds');
/** Sent with the start of a run (update-with-start): answers for a run that is already there, if it is the same. */
export const joinUpdate = defineUpdate<DataEngineProgress, [DataEngineInput]>('join');

/** From `dataEngine` to `round`, and from `round` to `generation`. */
export interface Steer {
  /** Null: go on. */
  paused?: Pause | null;
  answer?: Answer;
}
export const steerSignal = defineSignal<[Steer]>('steer');

/** From `round` to `dataEngine`: what it is at. */
export interface StepNews {
  round: number;
  step: string;
  waiting?: WaitingStep;
}
export const stepNewsSignal = defineSignal<[StepNews]>('stepNews');
