/**
 * A round: its steps so far, what its run and a person said to it, and what is shown of it.
 */
import {
  type ChildWorkflowHandle,
  condition,
  getExternalWorkflowHandle,
  type Workflow,
  workflowInfo,
} from '@temporalio/workflow';
import type { StepReference } from '../activities/references.ts';
import { type OutcomeOf, rowOf, type StepName } from '../src/round/steps.ts';
import { describeSteps } from './details.ts';
import type { RoundInput, RunPlan } from './inputs.ts';
import { type MessageHandlers, refuse } from './message-handlers.ts';
import type { RoundDecision, RoundProgress, StepRecord } from './messages.ts';
import { ownerOfRound } from './owner.ts';
import { Steered } from './steered.ts';
import { reportStepSignal, type Steer, steerSignal } from './steering-messages.ts';
import { TypesWait } from './types-approval.ts';

type Child = Pick<ChildWorkflowHandle<Workflow>, 'signal'>;

export class RoundState extends Steered {
  readonly plan: RunPlan;
  readonly reference: StepReference;
  /** Of the steps that are done. */
  readonly outcomes: { [Name in StepName]?: OutcomeOf<Name> } = {};
  /** Of its discovered question types. */
  readonly types: TypesWait;
  private readonly steps: StepRecord[] = [];
  /** The generation or verification under way. */
  private child: Child | undefined;
  private isDecisionAwaited = false;
  private decision: RoundDecision | undefined;
  private isReviewAwaited = false;

  constructor(
    { plan, round, owner, paused }: RoundInput,
    private readonly messages: MessageHandlers,
  ) {
    super({ round, paused });
    this.plan = plan;
    this.reference = { runDirectory: plan.directory, round, owner: ownerOfRound(owner) };
    this.types = new TypesWait(plan, this.reference);
  }

  get progress(): RoundProgress {
    return { round: this.reference.round, steps: this.steps };
  }

  /** Working time of each step. */
  get seconds(): Record<string, number> {
    return Object.fromEntries(this.steps.map(({ name, seconds = 0 }) => [name, seconds]));
  }

  // What the run, or a person, says.

  async steer({ paused, answer }: Steer): Promise<void> {
    if (paused !== undefined) this.paused = paused ?? undefined;
    if (answer !== undefined) this.giveAnswer(answer);
    // The child may have ended in the meantime.
    if (paused !== undefined) await this.child?.signal(steerSignal, { paused }).catch(() => undefined);
  }

  decide(decision: RoundDecision): { round: number; decision: RoundDecision['decision'] } {
    this.decision = decision;
    this.isDecisionAwaited = false;
    return { round: this.reference.round, decision: decision.decision };
  }

  /** Throws where the update is refused. */
  checkDecision(): void {
    if (!this.isDecisionAwaited) refuse('Not now: the round does not wait for a decision');
  }

  takeReview(): { round: number } {
    this.isReviewAwaited = false;
    return { round: this.reference.round };
  }

  /** Throws where the update is refused. */
  checkReview(): void {
    if (!this.isReviewAwaited) refuse('Not now: the round does not wait for a review of its samples');
  }

  // What the workflow does.

  async step<Name extends StepName>(name: Name, work: () => Promise<OutcomeOf<Name>>): Promise<OutcomeOf<Name>> {
    const record: StepRecord = { name, state: 'running' };
    this.steps.push(record);
    const outcome = await this.attempt(record, work);
    Object.assign(this.outcomes, { [name]: outcome });
    Object.assign(record, { state: 'done', seconds: outcome.seconds, note: rowOf(name).summary(outcome as never) });
    this.show();
    return outcome;
  }

  /** Waits for a child that asks the teacher, and passes on to it whether the run is paused. */
  async untilEnded<Outcome>(started: Promise<Child & { result(): Promise<Outcome> }>): Promise<Outcome> {
    const { paused } = this;
    const child = await started;
    this.child = child;
    // A pause that came while the child was starting.
    if (this.paused !== paused) await child.signal(steerSignal, { paused: this.paused ?? null });
    try {
      return await child.result();
    } finally {
      this.child = undefined;
    }
  }

  /** From now on the update `decideRound` is taken. */
  awaitDecision(description: string): void {
    this.isDecisionAwaited = true;
    this.awaitPerson(description);
  }

  /** The step under way waits for a person. */
  awaitPerson(description: string): void {
    (this.steps.at(-1) as StepRecord).state = 'waiting';
    this.show(description);
  }

  /** The person has answered, and the step has more to do. */
  resumeStep(): void {
    (this.steps.at(-1) as StepRecord).state = 'running';
    this.show();
  }

  /** @returns the person's decision, or undefined when none came in time */
  async untilDecided(timeoutHours: number): Promise<RoundDecision | undefined> {
    await condition(() => this.decision !== undefined, timeoutHours * 3_600_000);
    this.isDecisionAwaited = false;
    return this.decision;
  }

  /** Waits until somebody says that the samples are reviewed. */
  async untilReviewed(description: string): Promise<void> {
    this.isReviewAwaited = true;
    this.awaitPerson(description);
    await condition(() => !this.isReviewAwaited);
    this.resumeStep();
  }

  protected override get failedStep(): RunPlan['failedStep'] {
    return this.plan.failedStep;
  }

  /** Shows the step, and reports it to the run; a round that was started by hand has none. */
  protected override async reportStep({ name }: StepRecord): Promise<void> {
    this.show();
    const { parent, firstExecutionRunId: execution } = workflowInfo();
    if (parent === undefined) return;
    const news = { round: this.reference.round, execution, step: name, waiting: this.waiting };
    // When a run ends, its round ends with it.
    await getExternalWorkflowHandle(parent.workflowId)
      .signal(reportStepSignal, news)
      .catch(() => undefined);
  }

  private show(more = ''): void {
    this.messages.show(describeSteps(this.reference.round, this.steps) + more);
  }
}
