/** A process of `step-processes.test.ts`; for it a step computes without end. */
import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveSteps } from '../../activities/step-process.ts';

serveSteps(async (name, facts, { signal, onWorked }) => {
  if (name === 'exit') process.exit(3);
  if (name === 'fill-heap') fillHeap();
  if (name === 'save') await saveOnceStopped(facts as { file: string; milliseconds: number }, signal, onWorked);
  if (name === 'environment') return Object.keys(process.env).filter((key) => !key.startsWith('NODE_'));
  while (name === 'forever' || name === 'prepareData') Math.random();
  return name === 'pid' ? process.pid : facts;
});

/** Its work ends as soon as it is to stop, and saving what was done takes a while. */
async function saveOnceStopped(
  { file, milliseconds }: { file: string; milliseconds: number },
  signal: AbortSignal,
  onWorked: () => void,
): Promise<void> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  onWorked();
  await sleep(milliseconds);
  await appendFile(file, 'saved');
  signal.throwIfAborted();
}

function fillHeap(): never {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 10_000 }, Math.random));
}
