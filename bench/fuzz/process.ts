/** The process that works through the targets, so that an input on which it hangs or ends can be found from outside. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FuzzOutcome, rerunCommand } from './target.ts';
import { fuzzTargets } from './targets.ts';

/** What the process is given, as JSON. */
export interface FuzzTask {
  /** In this order. */
  names: string[];
  seed: number;
  path?: string | undefined;
  runs?: number | undefined;
  /** For all of them. */
  milliseconds: number;
  folder: string;
}

/** What it says: the input that it takes up next, or what came of a target. */
export type FuzzMessage = { number: number } | { outcome: FuzzOutcome };

const { names, seed, path, runs, milliseconds, folder } = JSON.parse(process.argv[2] as string) as FuzzTask;
const say = (message: FuzzMessage) => process.send?.(message);
const endsAt = performance.now() + milliseconds;
for (const [index, name] of names.entries()) {
  const target = fuzzTargets.find((one) => one.name === name);
  if (target === undefined) throw new Error(`There is no target ${name}`);
  const own = join(folder, name);
  await mkdir(own);
  // What one left over is for the ones after it.
  const share = Math.max(200, (endsAt - performance.now()) / (names.length - index));
  let number = 0;
  const onInput = (next: number) => {
    number = next;
    say({ number });
  };
  const outcome = await target
    .check(own, { seed, path, runs, milliseconds: share, onInput })
    .catch((error: Error): FuzzOutcome => {
      const failure = { problem: error.stack ?? error.message, input: '(it was being set up)' };
      return {
        name,
        inputs: number,
        seconds: 0,
        failure: { ...failure, command: rerunCommand(name, seed, path ?? '0') },
      };
    });
  say({ outcome });
  await rm(own, { recursive: true, force: true, maxRetries: 5 });
}
process.disconnect();
process.exit(0);
