/**
 * A process that is stopped for hours, as by `SIGSTOP` or a paused machine, and goes on after another one has finished its step:
 * at every file operation.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { runStepOnce } from '../../src/core/manifest.ts';
import { gate } from '../helpers/gate.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

interface Stop {
  /** Of the process's file operations so far. */
  operations: number;
  at: number;
  reached: () => void;
  goOn: Promise<void>;
}
const stopped = new AsyncLocalStorage<Stop>();

vi.mock('node:fs/promises', async (original) => {
  const real = await original<Record<string, unknown>>();
  const stopping =
    (operation: (...given: unknown[]) => Promise<unknown>) =>
    async (...given: unknown[]) => {
      const stop = stopped.getStore();
      if (stop !== undefined) {
        stop.operations += 1;
        if (stop.operations === stop.at) {
          stop.reached();
          await stop.goOn;
        }
      }
      return operation(...given);
    };
  const operations = ['readFile', 'writeFile', 'rename', 'rm', 'link', 'open', 'mkdir', 'readdir'];
  return Object.fromEntries(
    Object.entries(real).map(([name, value]) => [
      name,
      operations.includes(name) ? stopping(value as () => Promise<unknown>) : value,
    ]),
  );
});

function attempt(directory: string, text = 'hello') {
  return runStepOnce({
    directory,
    step: 'example',
    inputs: { text },
    work: async () => {
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, 'out.txt'), text);
      return { outputs: ['out.txt'], metrics: {} };
    },
  });
}

/** Runs an attempt that stops before its file operation of that number; another one runs in the meantime. */
async function stopAt(at: number, directory: string) {
  const [reached, goOn] = [gate(), gate()];
  const stop = { operations: 0, at, reached: reached.open, goOn: goOn.opened };
  const late = stopped
    .run(stop, () => attempt(directory))
    .then(
      () => 'done',
      (error: Error) => error.name,
    );
  await Promise.race([reached.opened, late]);
  const isStopped = stop.operations >= at;
  await attempt(directory);
  const committed = await readFile(join(directory, 'manifest.json'), 'utf8');
  goOn.open();
  return { isStopped, committed, end: await late };
}

it.each([
  ['an empty folder', async () => undefined],
  ['a step that is done', async (directory: string) => void (await attempt(directory))],
  ['one of other inputs', async (directory: string) => void (await attempt(directory, 'other'))],
  [
    'one with a damaged output',
    async (directory: string) => {
      await attempt(directory);
      await writeFile(join(directory, 'out.txt'), 'damaged');
    },
  ],
])('an attempt that goes on after another has finished leaves its result alone: %s', async (_, prepare) => {
  const ends = new Set<string>();
  for (let at = 1; ; at += 1) {
    const directory = join(await temporaryFolder(), 'step');
    await prepare(directory);
    const { isStopped, committed, end } = await stopAt(at, directory);
    if (!isStopped) break;
    ends.add(end);
    expect(await readFile(join(directory, 'manifest.json'), 'utf8'), `stopped at operation ${at}`).toBe(committed);
    expect(await readFile(join(directory, 'out.txt'), 'utf8')).toBe('hello');
    expect((await attempt(directory)).skipped).toBe(true);
    expect((await readdir(directory)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  }
  expect([...ends].filter((end) => end !== 'done' && end !== 'StepTakenOver')).toEqual([]);
});
