import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OwnedProcess, startOwned } from '../../demo/command/child-process.ts';

const entry = fileURLToPath(new URL('../../workers/gpu.ts', import.meta.url));

/** A GPU worker in a process of its own, so that it can be killed. Its log is `worker-gpu.log` in the folder. */
export function startGpuWorker(input: {
  folder: string;
  address: string;
  taskQueue: string;
  trainerEntry: string;
  environment?: Record<string, string>;
}): Promise<OwnedProcess> {
  return startOwned({
    name: 'GPU worker',
    program: process.execPath,
    arguments: ['--import', import.meta.resolve('tsx'), entry, input.taskQueue, input.trainerEntry],
    logFile: join(input.folder, 'worker-gpu.log'),
    environment: {
      ...input.environment,
      TEMPORAL_ADDRESS: input.address,
      TEMPORAL_NAMESPACE: 'default',
      DATAENGINE_EXIT_WITH_PARENT: '1',
    },
  });
}
