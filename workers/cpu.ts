/**
 * The CPU worker: `node --import tsx workers/cpu.ts [task queue]`.
 */
import { runCpuWorker } from './run-worker.ts';

await runCpuWorker({ taskQueue: process.argv[2] });
