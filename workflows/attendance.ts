/**
 * Whether anybody works on the queue of the GPU workers. An activity that waits for a worker looks as one that runs, and
 * without this a run waits all night in silence.
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import { cpuActivities } from './activity-options.ts';
import type { RoundState } from './round-state.ts';

const defaultMinutes = 2;
/** How soon after one that found nobody. */
const minutesUntilNext = 5;

/** Does work on the GPU workers, and says for how long of it there were none. The longer it takes, the less often it looks. */
export async function attended<R>(round: RoundState, work: () => Promise<R>): Promise<R> {
  const looking = new CancellationScope();
  void looking.run(() => lookAgainAndAgain(round)).catch(() => undefined);
  try {
    return await work();
  } finally {
    looking.cancel();
    await round.showUnattended(undefined);
  }
}

async function lookAgainAndAgain(round: RoundState): Promise<never> {
  const { plan, reference } = round;
  const { gpu: queue, cpu } = plan.queues;
  let minutes = plan.lookForWorkersMinutes ?? defaultMinutes;
  for (;;) {
    await sleep(minutes * 60_000, { summary: `Until it is looked whether a worker polls ${queue}` });
    const { lookForWorkers } = cpuActivities(cpu, `Look whether a worker polls ${queue}`, 10);
    const { polled } = await lookForWorkers({ ...reference, queue });
    await round.showUnattended(polled ? undefined : queue);
    minutes = polled ? minutes * 2 : minutesUntilNext;
  }
}
