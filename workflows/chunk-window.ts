/**
 * The chunks of a generation: those under way, those to come, and what they may cost.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { StepReference } from '../activities/references.ts';
import type { AskedChunks } from '../src/round/asking/ask-chunks.ts';
import type { GenerationPlan } from '../src/round/asking/plan.ts';
import { cpuActivities } from './activity-options.ts';
import { describeGeneration } from './details.ts';
import type { GenerationInput, GenerationState, OpenChunk } from './inputs.ts';
import { type MessageHandlers, refuse } from './message-handlers.ts';
import type { GenerationProgress } from './messages.ts';
import { reportTeacherSignal, type TeacherReport } from './steering-messages.ts';
import { TeacherCalls } from './teacher-calls.ts';

/** Far below 10,000 events, at which the server warns. */
const longestHistory = 8000;

export class ChunkWindow {
  paused: boolean;
  private readonly queues: GenerationInput['queues'];
  private readonly reference: StepReference;
  private readonly calls: TeacherCalls;
  private phase: GenerationProgress['state'] = 'starting';
  private started: GenerationState | undefined;
  private readonly underWay = new Map<OpenChunk, Promise<void>>();
  /** Of the chunks under way: what each may cost, its cost so far included. */
  private readonly reserved = new Map<number, number>();
  private scope = new CancellationScope({ cancellable: true });
  /** The server of a served teacher is being stopped; its chunks stay open. */
  private isStopping = false;
  private failure: unknown;
  /** Of the chunks that get no answers: why. */
  private readonly problems = new Map<number, string>();
  /** What the round knows of that. */
  private reported: string | undefined;

  constructor(
    { queues, runDirectory, round, owner, state, paused = false }: GenerationInput,
    private readonly messages: MessageHandlers,
    purpose?: 'verify' | 'judge',
  ) {
    this.queues = queues;
    this.reference = { runDirectory, round, owner };
    this.calls = new TeacherCalls(queues.teacher, this.reference, purpose);
    this.started = state;
    this.paused = paused;
  }

  start(plan: GenerationPlan): void {
    this.started = {
      plan,
      nextChunk: 0,
      open: [],
      answered: 0,
      givenUp: 0,
      spent: 0,
      toppedUp: 0,
      finishEarly: false,
    };
  }

  /** What a next execution continues from. */
  get state(): GenerationState {
    if (this.started === undefined) throw new Error('the generation is not planned yet');
    return this.started;
  }

  get plan(): GenerationPlan {
    return this.state.plan;
  }

  get progress(): GenerationProgress {
    const { started, phase, reserved } = this;
    const [problem] = this.problems.values();
    return {
      round: this.reference.round,
      state: phase,
      requests: started?.plan.requests ?? 0,
      answered: started?.answered ?? 0,
      underWay: reserved.size,
      spent: started === undefined ? 0 : started.plan.spent + started.spent,
      reserved: sum(reserved.values()),
      limit: started && limitOf(started),
      currency: started?.plan.currency,
      estimate: started?.plan.estimate,
      ...(problem !== undefined && { problem }),
    };
  }

  enter(phase: GenerationProgress['state']): void {
    this.phase = phase;
    this.show();
  }

  // What the activities say.

  /** Why a report is none of a chunk under way. One that comes late is no news. */
  problemWith({ chunk }: TeacherReport): string | undefined {
    if (chunk === undefined) return 'it names no chunk';
    return chunk < (this.started?.nextChunk ?? 0) ? undefined : `chunk ${chunk} is not under way`;
  }

  async takeReport({ chunk = 0, problem }: TeacherReport): Promise<void> {
    if (problem === undefined) this.problems.delete(chunk);
    else if (this.reserved.has(chunk)) this.problems.set(chunk, problem);
    this.show();
    await this.tellRound();
  }

  /** The round hears when answers stay away, and when they come again; not of each chunk. */
  private async tellRound(): Promise<void> {
    const { parent, firstExecutionRunId: execution } = workflowInfo();
    const [problem] = this.problems.values();
    if (parent === undefined || (problem === undefined) === (this.reported === undefined)) return;
    this.reported = problem;
    // When a round ends, its generation ends with it.
    await getExternalWorkflowHandle(parent.workflowId)
      .signal(reportTeacherSignal, { execution, problem })
      .catch(() => undefined);
  }

  // What a person says.

  /** @returns the new limit */
  async topUp(amount: number): Promise<number> {
    await this.untilPlanned();
    await cpuActivities(this.queues.cpu, 'Record the top-up', 10).recordTopUp({
      ...this.reference,
      id: uuid4(),
      amount,
    });
    this.state.toppedUp += amount;
    this.show();
    return limitOf(this.state) ?? amount;
  }

  async finishEarly(): Promise<void> {
    await this.untilPlanned();
    this.state.finishEarly = true;
  }

  /** What is said before there is a plan waits for it; a generation that could not make one has ended. */
  private async untilPlanned(): Promise<void> {
    await condition(() => this.started !== undefined || this.phase === 'failed' || this.phase === 'canceled');
    if (this.started === undefined) refuse('The generation has ended: it could not be planned');
  }

  /** False also as long as it is not known. */
  get isWithoutBudget(): boolean {
    return this.started !== undefined && limitOf(this.started) === undefined;
  }

  // Where the window stands.

  get hasWork(): boolean {
    return !this.isEmpty || (this.hasMore && !this.state.finishEarly);
  }

  /** No chunk is under way. */
  get isEmpty(): boolean {
    return this.underWay.size === 0;
  }

  /** Another chunk may start, as far as the budget lets it. */
  get isOpen(): boolean {
    return (
      this.hasMore && !this.state.finishEarly && !this.paused && this.underWay.size < this.plan.maxConcurrentChunks
    );
  }

  /** A served teacher holds a GPU, and is asked all chunks at once: to pause is to stop it. */
  get isHeldInVain(): boolean {
    const { paused, state, plan, isEmpty } = this;
    return plan.servedOn !== undefined && !isEmpty && (paused || state.finishEarly);
  }

  /** The budget has enough left for one more request. */
  get isAffordable(): boolean {
    return this.plan.limit === undefined || this.unreserved >= this.plan.estimate.mostPerRequest;
  }

  get isHistoryTooLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return continueAsNewSuggested || historyLength > longestHistory;
  }

  /** @throws the first error of a chunk */
  throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  // What to wait for.

  async untilResumed(): Promise<void> {
    this.enter('paused');
    await condition(() => !this.paused || this.state.finishEarly);
    this.enter('asking');
  }

  async untilToppedUp(): Promise<void> {
    this.enter('waiting for a top-up');
    await condition(() => this.isAffordable || this.state.finishEarly);
    this.enter('asking');
  }

  /** Until a chunk has ended, or another may start, or the run is paused or resumed. */
  async untilChanged(): Promise<void> {
    const { paused, isOpen } = this;
    const { size } = this.underWay;
    await condition(
      () =>
        this.underWay.size !== size ||
        this.failure !== undefined ||
        (isOpen && this.isAffordable) ||
        this.paused !== paused ||
        this.isHeldInVain ||
        this.isHistoryTooLong,
    );
  }

  // What changes the window.

  startNext(): void {
    const { state } = this;
    const open = state.open.shift() ?? { chunk: state.nextChunk++, cost: 0 };
    if (this.plan.servedOn !== undefined) state.nextChunk = this.plan.chunks;
    const work = this.scope
      .run(() => this.ask(open))
      .catch((error: unknown) => {
        const stays = this.calls.areHandedOver || this.isStopping;
        if (stays && isCancellation(error)) state.open.push(open);
        else this.failure ??= error;
      })
      .finally(() => this.underWay.delete(open));
    this.underWay.set(open, work);
  }

  /**
   * Activities end before the next execution starts; batches continue at the teacher.
   *
   * @throws the first error of a chunk
   */
  async handOver(): Promise<void> {
    if (this.calls.handOver(this.plan)) this.scope.cancel();
    await Promise.all(this.underWay.values());
    await condition(allHandlersFinished);
    this.throwFailure();
  }

  /** Has the server of a served teacher stopped. What it has answered is kept. */
  async stopServer(): Promise<void> {
    this.isStopping = true;
    this.scope.cancel();
    await Promise.all(this.underWay.values());
    this.isStopping = false;
    this.scope = new CancellationScope({ cancellable: true });
  }

  /** Returns when all activities have ended and all batches are cancelled. */
  async cancel(): Promise<void> {
    this.scope.cancel();
    await CancellationScope.nonCancellable(() => Promise.all(this.underWay.values()));
  }

  private async ask(open: OpenChunk): Promise<void> {
    const { state, plan } = this;
    const allowance = this.reserve(open);
    this.show();
    let asked: AskedChunks;
    try {
      asked = await this.calls.ask(plan, open, allowance);
    } finally {
      this.reserved.delete(open.chunk);
      if (this.problems.delete(open.chunk)) void this.tellRound();
    }
    const { left, cost, answered, givenUp } = asked;
    if (left !== undefined) {
      // Not even one request was affordable: it is longer than those that the estimate is made from.
      if (cost + left.cost <= open.cost) plan.estimate.mostPerRequest *= 1.25;
      state.open.push({ chunk: left.chunk, cost: left.cost });
    }
    state.spent += cost;
    state.answered += answered;
    state.givenUp += givenUp;
    this.show();
  }

  /** Reserves the most that a chunk may cost. @returns what it may cost, its cost so far included; undefined: anything */
  private reserve({ chunk, cost }: OpenChunk): number | undefined {
    const { limit, estimate, chunkSize, servedOn } = this.plan;
    if (limit === undefined) {
      this.reserved.set(chunk, cost);
      return undefined;
    }
    const most = servedOn === undefined ? estimate.mostPerRequest * chunkSize : Number.POSITIVE_INFINITY;
    const reserve = Math.min(most, this.unreserved - cost);
    this.reserved.set(chunk, cost + reserve);
    return cost + reserve;
  }

  private get hasMore(): boolean {
    return this.state.open.length > 0 || this.state.nextChunk < this.plan.chunks;
  }

  /** What is left of the budget when all chunks under way cost the most they may. */
  private get unreserved(): number {
    const { state, plan, reserved } = this;
    const open = sum(state.open.map(({ cost }) => cost));
    return (limitOf(state) ?? 0) - plan.spent - state.spent - sum(reserved.values()) - open;
  }

  private show(): void {
    this.messages.show(describeGeneration(this.progress));
  }
}

function limitOf({ plan, toppedUp }: GenerationState): number | undefined {
  return plan.limit === undefined ? undefined : plan.limit + toppedUp;
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}
