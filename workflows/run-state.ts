/**
 * A run: its rounds so far, what a person said to it, and what is shown of it.
 */
import { type ChildWorkflowHandle, condition, workflowInfo } from '@temporalio/workflow';
import type { StepOutcome } from '../src/round/step-context.ts';
import { isStepName, rowOf } from '../src/round/steps.ts';
import { compactRounds, describeRounds, describeStanding } from './details.ts';
import {
  type DataEngineInput,
  type DataEngineState,
  dataEngineState,
  type Pause,
  type RoundSummary,
  type RunPlan,
} from './inputs.ts';
import type { MessageHandlers } from './message-handlers.ts';
import type { DataEngineProgress, DataEngineResult, Standing, StepRecord, WaitingStep } from './messages.ts';
import {
  failureNotification,
  Notifications,
  notify,
  skippedNotification,
  waitingNotification,
} from './notifications.ts';
import type { dataEngineRound } from './round.ts';
import { ShownInSearch } from './search-attributes.ts';
import { Steered, StepSkipped } from './steered.ts';
import { type Answer, type RoundReport, type Steer, steerSignal } from './steering-messages.ts';
import type { End } from './until-end.ts';

/** In the query's answer, which stays small. */
const keptOwnSteps = 6;

const waitsForNothing = { waiting: undefined, asks: undefined, unattended: undefined, teacher: undefined };

type RoundHandle = ChildWorkflowHandle<typeof dataEngineRound>;

export class RunState extends Steered {
  readonly progress: DataEngineProgress;
  stop: DataEngineResult['stop'] | undefined;
  private state: DataEngineState | undefined;
  private ending = false;
  private isRoundUnderWay = false;
  private currentRound: RoundHandle | undefined;
  /** Of this execution, by the ids of their first executions. */
  private readonly endedRounds = new Set<string>();
  private roundsInThisExecution = 0;
  readonly notifications = new Notifications();
  private readonly search = new ShownInSearch();

  constructor(
    readonly input: DataEngineInput,
    private readonly messages: MessageHandlers,
  ) {
    const { state, run } = input;
    super({ paused: state?.paused });
    this.state = state;
    // Rounds of earlier workflows do not count: a run that is continued is meant to go on.
    this.stop = state?.rounds.at(-1)?.gate?.stop;
    this.progress = {
      run,
      state: state?.paused === undefined ? 'running' : 'paused',
      round: state?.nextRound ?? 0,
      paused: state?.paused,
    };
  }

  get plan(): RunPlan {
    return this.prepared.plan;
  }

  get rounds(): RoundSummary[] {
    return this.state?.rounds ?? [];
  }

  get nextRound(): number {
    return this.prepared.nextRound;
  }

  get isOver(): boolean {
    return this.nextRound > this.plan.rounds || this.stop !== undefined;
  }

  /** While the config is being read and once the run is ending there are no rounds to add to. */
  get canAddRounds(): boolean {
    return this.state !== undefined && !this.ending;
  }

  // What a person, or the round, says.

  async setPaused(paused: Pause | undefined): Promise<DataEngineProgress> {
    this.paused = paused;
    this.progress.paused = paused;
    this.show();
    await this.steerRound({ paused: paused ?? null });
    return this.progress;
  }

  async answerFor(waiting: WaitingStep, answer: Answer): Promise<WaitingStep> {
    this.progress.waiting = undefined;
    this.show();
    if (waiting.round === undefined) this.giveAnswer(answer);
    else await this.steerRound({ answer });
    return waiting;
  }

  addRounds(more: number): { rounds: number } {
    const { plan } = this;
    plan.rounds += more;
    this.progress.rounds = plan.rounds;
    this.show();
    return { rounds: plan.rounds };
  }

  /** Why a report is not that of the round under way: anybody may send one. */
  problemWith({ round, step, execution, waiting }: RoundReport): string | undefined {
    // A round that reports in the task that says that it was started is not known yet.
    const known = this.currentRound?.firstExecutionRunId ?? execution;
    // A late one of a round that has ended is no news.
    if (this.endedRounds.has(execution)) return undefined;
    if (!this.isRoundUnderWay || this.state?.nextRound !== round) return `round ${round} is not under way`;
    if (execution !== known) return 'it is not from the round under way';
    if (!isStepName(step)) return `there is no step ${step}`;
    if (waiting !== undefined && (waiting.step !== step || waiting.round !== round)) return 'it is about two steps';
    return undefined;
  }

  async onReport({ step, execution, waiting, asks, unattended, teacher }: RoundReport): Promise<void> {
    await condition(() => this.currentRound !== undefined || !this.isRoundUnderWay);
    if (this.currentRound?.firstExecutionRunId !== execution) return;
    const waits = waiting !== undefined || asks !== undefined;
    const known = this.progress.waiting;
    Object.assign(this.progress, { step: waits ? step : undefined, waiting, asks, unattended, teacher });
    this.show();
    if (waiting !== undefined && waiting.problem !== known?.problem) this.notifyWaiting(waiting);
  }

  // What the workflow does.

  /** The plan is known, whether it was just made or comes from an earlier execution. */
  start(state: DataEngineState): void {
    this.state = state;
    const { run, directory, rounds } = state.plan;
    Object.assign(this.progress, { run, directory, rounds });
    this.show();
  }

  /** A step of the run itself. */
  async step<R>(name: string, work: () => Promise<R>): Promise<R> {
    const outcome = await this.attempt({ name, state: 'running' }, work);
    this.recordOwnStep(name, outcome);
    return outcome;
  }

  /** A step whose failure does not end the run. */
  async optionalStep(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      this.recordOwnStep(name, await this.attempt({ name, state: 'running' }, work, 'step'));
    } catch (error) {
      if (!(error instanceof StepSkipped)) throw error;
      const { round } = this.progress;
      const skipped = { round, name, state: 'skipped' as const, note: error.message };
      this.progress.ownSteps = [...(this.progress.ownSteps ?? []), skipped].slice(-keptOwnSteps);
      this.notifications.send(this.plan, 'failed', round, skippedNotification(round, error.message));
    }
  }

  /** Starts a round by `start` and waits for its end; meanwhile what is said to the run is passed on to it. */
  async untilRoundEnds(
    roundWorkflowId: string,
    start: (paused: Pause | undefined) => Promise<RoundHandle>,
  ): ReturnType<typeof dataEngineRound> {
    Object.assign(this.progress, { round: this.nextRound, roundWorkflowId, step: undefined });
    this.show();
    const { paused } = this;
    this.isRoundUnderWay = true;
    this.currentRound = await start(paused);
    // A pause that came while the round was starting.
    if (this.paused !== paused) await this.steerRound({ paused: this.paused ?? null });
    const summary = await this.currentRound.result();
    this.endedRounds.add(this.currentRound.firstExecutionRunId);
    this.isRoundUnderWay = false;
    this.currentRound = undefined;
    Object.assign(this.progress, waitsForNothing);
    return summary;
  }

  /** What a person should know of the run although nothing is wrong. */
  addNotes(notes: readonly string[]): void {
    if (notes.length === 0) return;
    this.state = { ...this.prepared, notes: [...(this.prepared.notes ?? []), ...notes] };
    this.show();
  }

  addRow(summary: RoundSummary): void {
    const { plan, rounds, notes } = this.prepared;
    this.state = { plan, notes, nextRound: summary.round + 1, rounds: [...rounds, summary] };
    this.stop = summary.gate?.stop;
    this.roundsInThisExecution += 1;
  }

  get isTimeToContinueAsNew(): boolean {
    const { continueAsNewSuggested, targetWorkerDeploymentVersionChanged } = workflowInfo();
    const rounds = this.roundsInThisExecution;
    if (rounds === 0) return false;
    return rounds >= this.plan.roundsPerExecution || continueAsNewSuggested || targetWorkerDeploymentVersionChanged;
  }

  /** The input of the next execution. */
  handOver(): DataEngineInput {
    const { paused } = this;
    const state = dataEngineState.carried({ ...this.prepared, rounds: compactRounds(this.rounds), paused });
    return { ...this.input, state };
  }

  /** From now on the run takes no more rounds. */
  end(): DataEngineResult['stop'] {
    this.ending = true;
    this.stop ??= {
      rule: 'rounds',
      reason: `${this.plan.rounds} of ${this.plan.rounds} rounds after round 0 are done`,
    };
    return this.stop;
  }

  /** Shows how the run has ended, and notifies of a failure. */
  async close(end: End, error?: unknown): Promise<void> {
    const { progress, stop } = this;
    Object.assign(progress, { state: end, step: undefined, paused: undefined, ...waitsForNothing });
    if (this.state === undefined) return;
    this.messages.show(describeRounds(this.state, { state: end, stop, error }));
    this.showInSearch();
    if (end !== 'failed') return;
    await notify(this.plan, 'failed', this.nextRound, failureNotification(this.nextRound, error));
  }

  protected override get failedStep(): RunPlan['failedStep'] {
    return this.state?.plan.failedStep;
  }

  protected override async reportStep({ name }: StepRecord): Promise<void> {
    Object.assign(this.progress, { step: name, waiting: this.waiting });
    this.show();
    if (this.waiting !== undefined) this.notifyWaiting(this.waiting);
  }

  /** For the query alone: of the steps of the table, which have a time. */
  private recordOwnStep(name: string, outcome: unknown): void {
    if (!isStepName(name) || typeof outcome !== 'object' || outcome === null) return;
    const { seconds } = outcome as StepOutcome;
    // The report's own words are its path, which the run's result has.
    const note = name === 'report' ? undefined : rowOf(name).summary(outcome as never);
    const { round, ownSteps = [] } = this.progress;
    this.progress.ownSteps = [...ownSteps, { round, name, state: 'done' as const, seconds, note }].slice(-keptOwnSteps);
  }

  private get prepared(): DataEngineState {
    if (this.state === undefined) throw new Error('the run is not prepared yet');
    return this.state;
  }

  private async steerRound(steer: Steer): Promise<void> {
    // The round may have ended in the meantime, and has nothing to follow then.
    await this.currentRound?.signal(steerSignal, steer).catch(() => undefined);
  }

  private notifyWaiting(waiting: WaitingStep): void {
    if (this.state === undefined) return;
    this.notifications.send(this.plan, 'failed', this.nextRound, waitingNotification(waiting));
  }

  private show(): void {
    if (this.state === undefined) return;
    this.progress.state = this.standing;
    this.messages.show(describeRounds(this.state) + describeStanding(this.progress));
    this.showInSearch();
  }

  private get standing(): Standing {
    const { waiting, asks, unattended, teacher, paused } = this.progress;
    if (waiting !== undefined || asks !== undefined) return 'waiting';
    if (unattended !== undefined) return 'no-worker';
    if (teacher !== undefined) return 'no-teacher';
    return paused === undefined ? 'running' : 'paused';
  }

  private showInSearch(): void {
    const { run } = this.plan;
    const { round, state } = this.progress;
    const scores = this.rounds.map(({ multipleChoice }) => multipleChoice);
    this.search.show(this.plan, { run, round, state, ...(scores.length > 0 && { bestScore: Math.max(...scores) }) });
  }
}
