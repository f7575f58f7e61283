/** A trainer that was killed for lack of memory, in words. */
import type { MemoryShortage } from './memory-watch.ts';
import { TrainerError } from './trainer-error.ts';

/** @param planned bytes that the job should take, where there is a plan */
export function killedForMemory({ held, free }: MemoryShortage, planned: number | undefined): TrainerError {
  const figures = [
    `it held ${gigabytes(held)}`,
    free !== undefined && `${gigabytes(free)} were free when it started`,
    planned !== undefined && `its plan is ${gigabytes(planned)}`,
  ];
  const message = `the trainer was killed for lack of memory: ${figures.filter((figure) => figure !== false).join(', ')}`;
  return new TrainerError({ kind: 'memory', retryable: true, message });
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
