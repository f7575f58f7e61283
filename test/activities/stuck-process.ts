/** A process of `step-processes.test.ts`; for it a step computes without end. */
import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveSteps } from '../../activities/step-process.ts';

serveSteps(async (name, facts, { signal, onWorked }) => {
  if (name === 'exit') process.exit(3);
  if (name === 'fill-heap') fillHeap();
  if (name === 'save') await saveOnceStopped(facts as ToSave, signal, onWorked);
  if (name === 'environment') return Object.keys(process.env).filter((key) => !key.startsWith('NODE_'));
  while (name === 'forever' || name === 'prepareData') Math.random();
  return name === 'pid' ? process.pid : facts;
});

export interface ToSave {
  file: string;
  milliseconds: number;
  /** Whether the work ends before it is to stop. */
  worked: boolean;
}

/** Its work ends as soon as it is to stop, or at once, and saving what was done takes a while. */
async function saveOnceStopped(
  { file, milliseconds, worked }: ToSave,
  signal: AbortSignal,
  onWorked: () => void,
): Promise<void> {
  if (!worked) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  onWorked();
  await sleep(milliseconds);
  await appendFile(file, 'saved');
  signal.throwIfAborted();
}

function fillHeap(): never {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 10_000 }, Math.random));
}
