/**
 * The GPU worker: `node --import tsx workers/gpu.ts [task queue] [trainer entry]`.
 */
import { runGpuWorker } from './run-worker.ts';

await runGpuWorker({ taskQueue: process.argv[2] }, process.argv[3]);
