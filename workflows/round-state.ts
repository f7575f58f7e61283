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
import { describeSteps, describeTeacher, describeUnattended } from './details.ts';
import type { RoundInput, RunPlan } from './inputs.ts';
import { type MessageHandlers, refuse } from './message-handlers.ts';
import type { Question, RoundDecision, RoundProgress, Standing, StepRecord } from './messages.ts';
import { ownerOfRound } from './owner.ts';
import { ShownInSearch } from './search-attributes.ts';
import { Steered } from './steered.ts';
import {
  type RoundReport,
  reportRoundSignal,
  type Steer,
  steerSignal,
  type TeacherReport,
} from './steering-messages.ts';
import { TypesWait } from './types-approval.ts';
import type { End } from './until-end.ts';

type Child = Pick<ChildWorkflowHandle<Workflow>, 'signal' | 'firstExecutionRunId'>;

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
  /** The id of its first execution, or of that of the one before. */
  private askedBy: string | undefined;
  private decision: RoundDecision | undefined;
  /** What a person is asked for. */
  private asks: Question | undefined;
  private end: End | undefined;
  private readonly search = new ShownInSearch();
  /** What the run knows of what the round waits for. */
  private reported: Pick<RoundReport, 'waiting' | 'asks' | 'unattended' | 'teacher'> = {};
  private unattended: string | undefined;
  /** Why the teacher gives no answers. */
  private teacher: string | undefined;

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
    return { round: this.reference.round, state: this.standing, steps: this.steps };
  }

  private get standing(): Standing {
    if (this.end !== undefined) return this.end;
    if (this.waiting !== undefined || this.asks !== undefined) return 'waiting';
    if (this.unattended !== undefined) return 'no-worker';
    if (this.teacher !== undefined) return 'no-teacher';
    return this.steps.at(-1)?.state === 'paused' ? 'paused' : 'running';
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
    this.asks = undefined;
    return { round: this.reference.round, decision: decision.decision };
  }

  /** Throws where the update is refused. */
  checkDecision(): void {
    if (this.asks !== 'decision') refuse('Not now: the round does not wait for a decision');
  }

  takeReview(): { round: number } {
    this.asks = undefined;
    return { round: this.reference.round };
  }

  /** Throws where the update is refused. */
  checkReview(): void {
    if (this.asks !== 'review') refuse('Not now: the round does not wait for a review of its samples');
  }

  /** One that comes when its sender has ended is no news. */
  async takeTeacherReport({ problem }: TeacherReport): Promise<void> {
    if (this.child !== undefined) await this.showTeacher(problem);
  }

  /** Why a report of the teacher is not from the workflow that asks it: anybody may send one. */
  problemWithTeacherReport({ execution }: TeacherReport): string | undefined {
    return execution !== undefined && execution === this.askedBy ? undefined : 'it is not from who asks the teacher';
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
    this.askedBy = child.firstExecutionRunId;
    // A pause that came while the child was starting.
    if (this.paused !== paused) await child.signal(steerSignal, { paused: this.paused ?? null });
    try {
      return await child.result();
    } finally {
      this.child = undefined;
      if (this.teacher !== undefined) void this.showTeacher(undefined);
    }
  }

  /** The step under way waits for a person; from now on the update for the answer is taken. */
  awaitPerson(asks: Question, description: string): void {
    (this.steps.at(-1) as StepRecord).state = 'waiting';
    this.asks = asks;
    this.show(description);
    void this.tellRun();
  }

  /** The person has answered, or nobody in time, and the step has more to do. */
  resumeStep(): void {
    (this.steps.at(-1) as StepRecord).state = 'running';
    this.asks = undefined;
    this.show();
    void this.tellRun();
  }

  /** @param queue that no worker polls; undefined: one does */
  async showUnattended(queue: string | undefined): Promise<void> {
    if (this.unattended === queue) return;
    this.unattended = queue;
    this.show();
    await this.tellRun();
  }

  private async showTeacher(problem: string | undefined): Promise<void> {
    this.teacher = problem;
    this.show();
    await this.tellRun();
  }

  showEnd(end: End): void {
    this.end = end;
    this.show();
  }

  /** @returns the person's decision, or undefined when none came in time */
  async untilDecided(timeoutHours: number): Promise<RoundDecision | undefined> {
    await condition(() => this.decision !== undefined, timeoutHours * 3_600_000);
    this.resumeStep();
    return this.decision;
  }

  /** Waits until somebody says that the samples are reviewed. */
  async untilReviewed(description: string): Promise<void> {
    this.awaitPerson('review', description);
    await condition(() => this.asks === undefined);
    this.resumeStep();
  }

  protected override get failedStep(): RunPlan['failedStep'] {
    return this.plan.failedStep;
  }

  protected override async reportStep(): Promise<void> {
    this.show();
    await this.tellRun();
  }

  /**
   * Tells the run what the round waits for, where that has changed. Each time costs both workflows a task, so the run hears of
   * exceptions alone. A round that was started by hand has none.
   */
  private async tellRun(): Promise<void> {
    const { waiting, asks, unattended, teacher, reported } = this;
    const { parent, firstExecutionRunId: execution } = workflowInfo();
    const now = { waiting, asks, unattended, teacher };
    const isKnown = (Object.keys(now) as (keyof typeof now)[]).every((key) => now[key] === reported[key]);
    if (parent === undefined || isKnown) return;
    this.reported = now;
    const step = this.steps.at(-1)?.name ?? '';
    const report = { round: this.reference.round, execution, step, ...this.reported };
    // When a run ends, its round ends with it.
    await getExternalWorkflowHandle(parent.workflowId)
      .signal(reportRoundSignal, report)
      .catch(() => undefined);
  }

  private show(more = ''): void {
    const { plan, reference, steps, standing } = this;
    const missing = describeUnattended(this.unattended) + describeTeacher(this.teacher);
    this.messages.show(describeSteps(reference.round, steps) + missing + more);
    this.search.show(plan, { run: plan.run, round: reference.round, step: steps.at(-1)?.name, state: standing });
  }
}
