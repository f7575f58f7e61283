import { join } from 'node:path';
import { fileExists } from '../../src/core/files.ts';

export const finishedMark = 'finished.json';

/**
 * The name of the demo's run. One that was interrupted is taken up again; a finished one is kept, and the next
 * demo gets a number: `demo-seed1`, `demo-seed1-2`, …
 */
export async function demoRunName(runsDirectory: string, base: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!(await fileExists(join(runsDirectory, name, finishedMark)))) return name;
  }
}
