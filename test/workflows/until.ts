import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until it is so. The test's own limit ends the waiting. */
export async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo())) await sleep(50);
}
