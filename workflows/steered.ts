/**
 * What a run and a round have in common: no step starts while they are paused, and a step that failed may wait for a
 * person's answer.
 */
import { ActivityFailure, ChildWorkflowFailure, condition, isCancellation } from '@temporalio/workflow';
import { describeProblem } from './details.ts';
import type { Pause, RunPlan } from './inputs.ts';
import type { StepRecord, WaitingStep } from './messages.ts';
import type { Answer } from './steering-messages.ts';

/** Thrown when a failed step that can be skipped is: by a person, or because nobody is to answer for it. */
export class StepSkipped extends Error {
  override readonly name = 'StepSkipped';
}

export abstract class Steered {
  paused: Pause | undefined;
  /** The failed step that waits for a person. */
  protected waiting: WaitingStep | undefined;
  private answer: Answer | undefined;
  private readonly round: number | undefined;

  /** @param of.round absent for the run itself */
  constructor(of: { round?: number; paused: Pause | undefined }) {
    this.round = of.round;
    this.paused = of.paused;
  }

  /** Undefined: a failed step fails the workflow at once. */
  protected abstract get failedStep(): RunPlan['failedStep'];

  /** Called after every change of the step's record. */
  protected abstract reportStep(record: StepRecord): Promise<void>;

  /** Answers for the failed step that waits. */
  protected giveAnswer(answer: Answer): void {
    this.answer = answer;
  }

  /**
   * Runs a step, and runs it again as often as a person says so after a failure.
   *
   * @throws StepSkipped when a person skips it, and for a step that can be skipped in place of its error
   * @throws the step's error when no answer is to be waited for, or none came in time; for any step when a person gives up
   */
  protected async attempt<R>(record: StepRecord, work: () => Promise<R>, skip?: WaitingStep['skip']): Promise<R> {
    for (;;) {
      if (this.paused !== undefined) {
        await this.report(record, { state: 'paused', note: this.paused.reason });
        await condition(() => this.paused === undefined);
      }
      await this.report(record, { state: 'running', note: undefined });
      try {
        return await work();
      } catch (error) {
        await this.untilRetried(record, error, skip).catch((end: unknown) => {
          // A step of a workflow that has ended is not running.
          if (record.state !== 'skipped') {
            record.state = isCancellation(end) ? 'canceled' : 'failed';
            if (record.state === 'failed') record.note = describeProblem(end);
          }
          throw end;
        });
      }
    }
  }

  /** Returns when the step is to run again; throws in any other case. */
  private async untilRetried(record: StepRecord, error: unknown, skip: WaitingStep['skip']): Promise<void> {
    if (isCancellation(error) || !isStepFailure(error)) throw error;
    const problem = describeProblem(error);
    const skipped = () => new StepSkipped(`the step ${record.name} failed and was skipped: ${problem}`);
    if (this.failedStep === undefined) {
      if (skip === undefined) throw error;
      await this.report(record, { state: 'skipped', note: problem });
      throw skipped();
    }
    this.answer = undefined;
    this.waiting = { round: this.round, step: record.name, problem, skip };
    await this.report(record, { state: 'failed', note: problem });
    // Only a timer on the server is held in the meantime.
    await condition(() => this.answer !== undefined, this.failedStep.waitHours * 3_600_000);
    this.waiting = undefined;
    const answer = this.answer ?? (skip === undefined ? 'giveUp' : 'skip');
    if (answer === 'giveUp') throw error;
    if (answer === 'skip') {
      await this.report(record, { state: 'skipped' });
      throw skipped();
    }
  }

  private report(record: StepRecord, change: Partial<StepRecord>): Promise<void> {
    Object.assign(record, change);
    return this.reportStep(record);
  }
}

/** An error in the workflow's own code is a defect, which no person can answer for. */
function isStepFailure(error: unknown): boolean {
  return error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
}
