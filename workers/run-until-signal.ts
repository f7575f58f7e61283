import type { Worker } from '@temporalio/worker';

/**
 * Runs the worker until SIGINT or SIGTERM, then lets it finish: running activities are told to stop, trainers
 * with them, and are taken up again by the next worker. Also ends when standard input closes if the parent asked
 * for that with DATAENGINE_EXIT_WITH_PARENT, so that no worker outlives the demo.
 */
export async function runUntilSignal(worker: Worker): Promise<void> {
  const shutDown = () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  process.on('SIGINT', shutDown);
  process.on('SIGTERM', shutDown);
  if (process.env.DATAENGINE_EXIT_WITH_PARENT !== undefined) {
    process.stdin.on('end', shutDown);
    process.stdin.resume();
  }
  try {
    await worker.run();
  } finally {
    process.off('SIGINT', shutDown);
    process.off('SIGTERM', shutDown);
    process.stdin.pause();
  }
}
