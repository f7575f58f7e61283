/**
 * What every step goes through: it waits while the run is paused, and one that failed may wait for a person.
 */
import { ActivityFailure, ChildWorkflowFailure, condition, isCancellation } from '@temporalio/workflow';
import { describeProblem } from './details.ts';
import type { Pause, RunPlan, StepRecord, WaitingStep } from './messages.ts';
import type { Answer } from './steering-messages.ts';

/** Thrown when a step is left out. What catches it goes on without the step's result. */
export class StepSkipped extends Error {
  override readonly name = 'StepSkipped';
}

export interface StepAttempts {
  paused: Pause | undefined;
  /** A person's answer to the step that waits. */
  answer: Answer | undefined;
  /** The failed step that waits for a person. */
  waiting: WaitingStep | undefined;
  /**
   * Does a step, its record kept up to date.
   *
   * @throws StepSkipped when a person left it out
   * @throws the step's error when nobody is to be waited for, or nobody answered in time
   */
  attempt<R>(record: StepRecord, work: () => Promise<R>, skip?: WaitingStep['skip']): Promise<R>;
}

/**
 * @param input.tell called after every change of a record
 * @param input.failedStep without it a failed step ends the workflow at once
 */
export function stepAttempts(input: {
  round?: number;
  paused?: Pause;
  failedStep: () => RunPlan['failedStep'];
  tell: (record: StepRecord) => Promise<void>;
}): StepAttempts {
  const { round, failedStep, tell } = input;
  const attempts: StepAttempts = {
    paused: input.paused,
    answer: undefined,
    waiting: undefined,
    async attempt(record, work, skip) {
      for (;;) {
        if (attempts.paused !== undefined) {
          Object.assign(record, { state: 'paused', note: attempts.paused.reason });
          await tell(record);
          await condition(() => attempts.paused === undefined);
        }
        Object.assign(record, { state: 'running', note: undefined });
        await tell(record);
        try {
          return await work();
        } catch (error) {
          const rule = failedStep();
          if (isCancellation(error) || rule === undefined || !isStepFailure(error)) throw error;
          const problem = describeProblem(error);
          Object.assign(record, { state: 'failed', note: problem });
          attempts.answer = undefined;
          attempts.waiting = { round, step: record.name, problem, skip };
          await tell(record);
          // Nothing but a timer of the server's is held meanwhile.
          await condition(() => attempts.answer !== undefined, rule.waitHours * 3_600_000);
          attempts.waiting = undefined;
          const answer: Answer = attempts.answer ?? 'giveUp';
          if (answer === 'giveUp') throw error;
          if (answer === 'skip') {
            record.state = 'skipped';
            await tell(record);
            throw new StepSkipped(`the step ${record.name} failed and was left out: ${problem}`);
          }
        }
      }
    },
  };
  return attempts;
}

/** An error of the workflow's own code is a defect: it is not for a person to answer. */
function isStepFailure(error: unknown): boolean {
  return error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
}
