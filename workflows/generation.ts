/**
 * A round's generation: a window of chunks under way, within limits and budget, until each request has its answer.
 */
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { CpuActivities } from '../activities/cpu.ts';
import type { StepReference } from '../activities/references.ts';
import type { AskedChunk } from '../src/round/generation/chunk.ts';
import type { GenerationPlan } from '../src/round/generation/plan.ts';
import type { GenerateOutcome, VerifyOutcome } from '../src/round/outcomes.ts';
import { cpuActivities, teacherActivities } from './activity-options.ts';
import { describeGeneration } from './details.ts';
import {
  finishEarlyUpdate,
  type GenerationInput,
  type GenerationProgress,
  type GenerationState,
  generationProgressQuery,
  type OpenChunk,
  topUpUpdate,
} from './messages.ts';
import { steerSignal } from './steering-messages.ts';

/** Far below the server's warning at 10,000 events. */
const longestHistory = 8000;
const largestTopUp = 1e9;

/**
 * Asks the teacher for all requests of a round, in chunks as activities, or in batches of the Batch API.
 *
 * Each chunk under way holds a fixed share of the limits (`src/round/generation/chunk.ts`), so that the number of chunks
 * under way is what holds the limits. With a budget, each chunk has its most reserved before it starts and can't spend
 * more; when the rest is too small for one request, the workflow waits for `topUp` or `finishEarly`.
 */
export function generation(input: GenerationInput): Promise<GenerateOutcome> {
  return askInChunks(input, {
    begin: (cpu, reference) => cpu.beginGeneration(reference),
    finish: (cpu, reference) => cpu.finishGeneration(reference),
  });
}

/**
 * Asks the teacher about the samples that it wrote, as `generation` asks for them: within the same budget and limits,
 * with the same updates and queries.
 */
export function verification(input: GenerationInput): Promise<VerifyOutcome> {
  return askInChunks(input, {
    purpose: 'verify',
    begin: (cpu, reference) => cpu.beginVerification(reference),
    finish: (cpu, reference) => cpu.finishVerification(reference),
  });
}

/** What the two differ in. */
interface Asking<Outcome> {
  /** Of the chunks; absent for new samples. */
  purpose?: 'verify';
  begin: (cpu: CpuActivities, reference: StepReference) => Promise<GenerationPlan>;
  finish: (cpu: CpuActivities, reference: StepReference) => Promise<Outcome>;
}

async function askInChunks<Outcome>(input: GenerationInput, asking: Asking<Outcome>): Promise<Outcome> {
  const { taskQueue, state: earlier, paused: startedPaused = false, ...reference } = input;
  const purpose = asking.purpose === undefined ? {} : { purpose: asking.purpose };
  const teacher = (summary: string) => teacherActivities(summary, taskQueue);
  let state: GenerationState | undefined = earlier;
  let phase: GenerationProgress['state'] = 'beginning';
  const reserved = new Map<number, number>();
  let stopped: unknown;
  let paused = startedPaused;

  const limitOf = ({ plan, toppedUp }: GenerationState) =>
    plan.limit === undefined ? undefined : plan.limit + toppedUp;
  const sumOfReserved = () => [...reserved.values()].reduce((sum, amount) => sum + amount, 0);
  const progress = (): GenerationProgress => ({
    round: input.round,
    state: phase,
    requests: state?.plan.requests ?? 0,
    answered: state?.answered ?? 0,
    underWay: reserved.size,
    spent: state === undefined ? 0 : state.plan.spent + state.spent,
    reserved: sumOfReserved(),
    limit: state && limitOf(state),
    currency: state?.plan.currency,
    estimate: state?.plan.estimate,
  });
  const tell = () => setCurrentDetails(describeGeneration(progress()));
  const enter = (next: GenerationProgress['state']) => {
    phase = next;
    tell();
  };

  setHandler(generationProgressQuery, progress);
  setHandler(steerSignal, (steer) => {
    if (steer.paused !== undefined) paused = steer.paused !== null;
  });
  setHandler(
    topUpUpdate,
    async ({ amount }) => {
      await condition(() => state !== undefined);
      const now = state as GenerationState;
      await cpuActivities('Record the top-up', 10, taskQueue).recordTopUp({ ...reference, id: uuid4(), amount });
      now.toppedUp += amount;
      tell();
      return limitOf(now) ?? amount;
    },
    {
      validator: ({ amount }) => {
        if (!(typeof amount === 'number' && amount > 0 && amount <= largestTopUp))
          throw ApplicationFailure.nonRetryable('Give an amount greater than 0, in the currency of the prices');
        if (state !== undefined && state.plan.limit === undefined)
          throw ApplicationFailure.nonRetryable('This run has no budget: teacher.budget is not set');
      },
    },
  );
  setHandler(finishEarlyUpdate, async () => {
    await condition(() => state !== undefined);
    (state as GenerationState).finishEarly = true;
  });

  state ??= await begin();
  if (state.plan.done) return finish();
  const run = state;
  const { plan } = run;
  const budgeted = plan.limit !== undefined;
  enter('asking');

  /** What may still be reserved. */
  const room = () =>
    (limitOf(run) ?? 0) - plan.spent - run.spent - sumOfReserved() - sum(run.open.map(({ cost }) => cost));
  const fits = () => !budgeted || room() >= plan.estimate.mostPerRequest;

  const asks = async (open: OpenChunk) => {
    const most = plan.estimate.mostPerRequest * plan.chunkSize;
    const reserve = budgeted ? Math.min(most, room() - open.cost) : 0;
    // Reserved is what is on top of its cost so far, which moves from the open chunks into what is reserved here.
    reserved.set(open.chunk, reserve + open.cost);
    const allowance = budgeted ? open.cost + reserve : undefined;
    tell();
    let asked: AskedChunk;
    try {
      asked = plan.mode === 'batch' ? await askInBatches(open, allowance) : await askChunk(open.chunk, allowance);
    } finally {
      reserved.delete(open.chunk);
    }
    if (asked.outOfBudget) {
      // Not even one request fitted: it is longer than those that the estimate looked at.
      if (asked.cost <= open.cost) plan.estimate.mostPerRequest *= 1.25;
      run.open.push({ chunk: open.chunk, cost: asked.cost });
    } else {
      run.spent += asked.cost;
      run.answered += asked.answered;
      run.givenUp += asked.givenUp;
    }
    tell();
  };

  const askChunk = (chunk: number, allowance: number | undefined) =>
    teacher(`Ask chunk ${chunk + 1} of ${plan.chunks}`).askChunk({ ...reference, ...purpose, chunk, allowance });

  const askInBatches = async (open: OpenChunk, allowance: number | undefined): Promise<AskedChunk> => {
    const { chunk } = open;
    for (;;) {
      const submitted =
        open.batch === undefined
          ? await teacher(`Submit batch ${chunk + 1} of ${plan.chunks}`).submitBatch({
              ...reference,
              ...purpose,
              chunk,
              allowance,
            })
          : { batch: open.batch };
      if (submitted.batch === undefined) return submitted.chunk;
      open.batch = submitted.batch;
      await untilBatchEnds(submitted.batch);
      await teacher(`Collect ${submitted.batch}`).collectBatch({
        ...reference,
        ...purpose,
        chunk,
        batch: submitted.batch,
      });
      open.batch = undefined;
    }
  };

  // No worker is held while a batch is under way: this is a timer of the server's.
  const untilBatchEnds = async (batch: string) => {
    try {
      let seconds = plan.poll.seconds;
      while (!(await teacher(`Look after ${batch}`).lookAfterBatch({ ...reference, batch })).ended) {
        await sleep(seconds * 1000);
        seconds = Math.min(plan.poll.maximumSeconds, seconds * 1.5);
      }
    } catch (error) {
      // Left for the next execution when this one continues as new, and for nobody when it was cancelled.
      if (isCancellation(error) && !handingOver) {
        await CancellationScope.nonCancellable(() => teacher(`Cancel ${batch}`).cancelBatch({ ...reference, batch }));
      }
      throw error;
    }
  };

  let handingOver = false;
  const underWay = new Map<OpenChunk, Promise<void>>();
  const window = new CancellationScope({ cancellable: true });
  const start = (open: OpenChunk) => {
    const work = window
      .run(() => asks(open))
      .catch((error: unknown) => {
        if (handingOver && isCancellation(error)) run.open.push(open);
        else stopped ??= error;
      })
      .finally(() => underWay.delete(open));
    underWay.set(open, work);
  };
  const more = () => run.open.length > 0 || run.nextChunk < plan.chunks;
  const tooLong = () => workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > longestHistory;

  try {
    while ((more() && !run.finishEarly) || underWay.size > 0) {
      if (stopped !== undefined) throw stopped;
      if (tooLong()) {
        await handOver();
        return continueAsNew<typeof generation>({ ...input, state: run, paused });
      }
      if (paused && underWay.size === 0) {
        enter('paused');
        await condition(() => !paused || run.finishEarly);
        enter('asking');
        continue;
      }
      const free = more() && !run.finishEarly && !paused && underWay.size < plan.atOnce;
      if (free && fits()) {
        start(run.open.shift() ?? { chunk: run.nextChunk++, cost: 0 });
        continue;
      }
      if (free && underWay.size === 0) {
        if (plan.whenReached === 'finish') break;
        enter('waiting for a top-up');
        await condition(() => fits() || run.finishEarly);
        enter('asking');
        continue;
      }
      const size = underWay.size;
      const held = paused;
      await condition(
        () => underWay.size !== size || stopped !== undefined || (free && fits()) || paused !== held || tooLong(),
      );
    }
    if (stopped !== undefined) throw stopped;
  } catch (error) {
    // Batches are cancelled, and activities end, before the workflow does.
    window.cancel();
    await CancellationScope.nonCancellable(() => Promise.all(underWay.values()));
    throw error;
  }
  return finish();

  async function begin(): Promise<GenerationState> {
    const plan = await asking.begin(cpuActivities('Plan and estimate', 60, taskQueue), reference);
    return {
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

  /** Activities end before the next execution begins; batches go on by themselves. */
  async function handOver(): Promise<void> {
    if (plan.mode === 'batch') {
      handingOver = true;
      window.cancel();
    }
    await Promise.all(underWay.values());
    await condition(allHandlersFinished);
  }

  async function finish(): Promise<Outcome> {
    enter('joining');
    const outcome = await asking.finish(cpuActivities('Join the answers', 360, taskQueue), reference);
    await condition(allHandlersFinished);
    enter('done');
    return outcome;
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
