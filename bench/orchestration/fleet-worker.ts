/**
 * One process of the simulated fleet: `fleet-worker.ts cpu PLAN` runs the workflows and the steps without work,
 * `fleet-worker.ts gpu COUNT MILLISECONDS` so many GPU workers, whose shards take so long on average.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from '@temporalio/worker';
import { withHeartbeat } from '../../activities/heartbeat.ts';
import { fakeActivities } from '../../test/workflows/fake-activities.ts';
import { connectWorker } from '../../workers/connection.ts';
import { workflowsPath } from '../../workers/workflows-path.ts';
import type { RunPlan } from '../../workflows/messages.ts';
import { shardMilliseconds } from './shard-time.ts';

const [kind, first = '', second = ''] = process.argv.slice(2);
// A worker without its server, which the benchmark stops, has nothing to wait for.
process.stdin.on('end', () => process.exit(0)).resume();
const workers = kind === 'cpu' ? [await cpuWorker(JSON.parse(first))] : await gpuWorkers(Number(first), Number(second));
const running = workers.map((worker) => worker.run());
process.stdout.write('READY\n');
await Promise.all(running);

async function cpuWorker(plan: RunPlan): Promise<Worker> {
  const { connection, namespace } = await connectWorker();
  const activities = fakeActivities(plan, []);
  return Worker.create({ connection, namespace, taskQueue: plan.queues.cpu, workflowsPath, activities });
}

/** Each as `createGpuWorker` makes it: one slot, and its own pollers. */
function gpuWorkers(count: number, milliseconds: number): Promise<Worker[]> {
  const step = async ({ round, shard = 0 }: { round: number; shard?: number }) => {
    await withHeartbeat(round, () => sleep(shardMilliseconds(shard, milliseconds)));
    return { seconds: 0, reused: false, questions: 1, samples: 1, steps: 1, loss: 1, parity: 0, images: 1 };
  };
  return Promise.all(
    Array.from({ length: count }, async (_, number) =>
      Worker.create({
        ...(await connectWorker()),
        taskQueue: 'fleet-gpu',
        identity: `gpu-${process.pid}-${number}`,
        activities: { finetune: step, merge: step, evaluateShard: step, embed: step },
        maxConcurrentActivityTaskExecutions: 1,
        maxHeartbeatThrottleInterval: '1 second',
      }),
    ),
  );
}
