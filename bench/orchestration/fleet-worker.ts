/**
 * One process of the simulated fleet: `fleet-worker.ts cpu PLAN` runs the workflows and CPU steps that do no work,
 * `fleet-worker.ts gpu COUNT MILLISECONDS` as many GPU workers, whose shards take so long on average.
 */
import { Worker } from '@temporalio/worker';
import { connectWorker } from '../../workers/connection.ts';
import { workflowsPath } from '../../workers/worker-flags.ts';
import type { RunPlan } from '../../workflows/inputs.ts';
import { fakeActivities } from '../support/fake-activities.ts';
import { simulatedGpuActivities } from './simulated-gpu.ts';

const [kind, first = '', second = ''] = process.argv.slice(2);
// A worker has nothing to wait for once the benchmark has stopped its server.
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
  return Promise.all(
    Array.from({ length: count }, async (_, number) =>
      Worker.create({
        ...(await connectWorker()),
        taskQueue: 'fleet-gpu',
        identity: `gpu-${process.pid}-${number}`,
        activities: simulatedGpuActivities(milliseconds),
        maxConcurrentActivityTaskExecutions: 1,
        maxHeartbeatThrottleInterval: '1 second',
      }),
    ),
  );
}
