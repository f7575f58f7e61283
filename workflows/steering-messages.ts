/**
 * How a person steers a run. All updates go to the workflow `dataEngine`, which passes them on to its round: one workflow
 * id is all that is needed.
 */
import { ApplicationFailure } from '@temporalio/common';
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import { z } from 'zod';
import { type DataEngineInput, type Pause, pauseSchema } from './inputs.ts';
import type { DataEngineProgress, WaitingStep } from './messages.ts';

export const maxReasonLength = 500;
export const maxAddedRounds = 1000;

/** A person's answer for a failed step. */
export type Answer = 'retry' | 'skip' | 'giveUp';

/** The step that the person means; without it, whichever step waits. */
export interface StepChoice {
  step?: string;
}

/** No further step starts, and no further chunk of requests to the teacher; what is under way is finished. */
export const pauseUpdate = defineUpdate<DataEngineProgress, [Pause?]>('pause');
export const resumeUpdate = defineUpdate<DataEngineProgress, []>('resume');
/** The failed step runs again, with all its retries. */
export const retryStepUpdate = defineUpdate<WaitingStep, [StepChoice?]>('retryStep');
/** The failed step is skipped. Taken for the report only. */
export const skipStepUpdate = defineUpdate<WaitingStep, [StepChoice?]>('skipStep');
/** The run fails, with the error of the step. */
export const giveUpUpdate = defineUpdate<WaitingStep, [StepChoice?]>('giveUp');
/** Adds rounds to those it was started with. Returns how many there will be after round 0. */
export const addRoundsUpdate = defineUpdate<{ rounds: number }, [{ more: number }]>('addRounds');
/** Sent with the start of a run (update-with-start): answered by a run that is under way, if its input is the same. */
export const joinUpdate = defineUpdate<DataEngineProgress, [DataEngineInput]>('join');

/** From `dataEngine` to `dataEngineRound`, and from `dataEngineRound` to `dataEngineGeneration`. */
export type Steer = z.output<typeof steerSchema>;
export const steerSchema = z.object({
  /** Null: resume. */
  paused: pauseSchema.nullable().optional(),
  answer: z.enum(['retry', 'skip', 'giveUp']).optional() satisfies z.ZodType<Answer | undefined>,
});
export const steerSignal = defineSignal<[Steer]>('steer');

/** From `dataEngineRound` to `dataEngine`: its current step. */
export type StepReport = z.output<typeof stepReportSchema>;
export const stepReportSchema = z.object({
  round: z.number(),
  step: z.string(),
  waiting: z
    .object({
      round: z.number().optional(),
      step: z.string(),
      problem: z.string(),
      skip: z.literal('step').optional(),
    })
    .optional() satisfies z.ZodType<WaitingStep | undefined>,
});
export const reportStepSignal = defineSignal<[StepReport]>('reportStep');

/** Refuses an update with these words. */
export function refuse(words: string): never {
  throw ApplicationFailure.nonRetryable(words);
}

/** Calls the handler of a signal. A wrong one, which nobody can answer, is ignored: it must not stop the run for good. */
export function takeSignal<S extends z.ZodType, R>(schema: S, take: (signal: z.output<S>) => R) {
  return (given: unknown): R | undefined => {
    const parsed = schema.safeParse(given);
    return parsed.success ? take(parsed.data) : undefined;
  };
}
