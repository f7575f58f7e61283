import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withLock } from '../../scripts/setup/lock.mjs';
import { temporaryFolder } from '../temporary-folder.ts';

const lockModule = new URL('../../scripts/setup/lock.mjs', import.meta.url).href;

// Reads a count, waits, writes it one higher: without the lock, counts get lost.
const counting = (lock: string, count: string) => `
  import { readFileSync, writeFileSync } from 'node:fs';
  import { setTimeout } from 'node:timers/promises';
  import { withLock } from ${JSON.stringify(lockModule)};
  await withLock(${JSON.stringify(lock)}, { onWait() {}, async work() {
    const before = Number(readFileSync(${JSON.stringify(count)}, 'utf8'));
    await setTimeout(50);
    writeFileSync(${JSON.stringify(count)}, String(before + 1));
  } });`;

describe('withLock', () => {
  it('lets one process work at a time, even when all find an abandoned lock', async () => {
    const folder = await temporaryFolder();
    const [lock, count] = [join(folder, 'lock'), join(folder, 'count')];
    await writeFile(count, '0');
    await writeFile(lock, '999999999');
    const processes = Array.from({ length: 5 }, () =>
      spawn(process.execPath, ['--input-type=module', '--eval', counting(lock, count)], { stdio: 'inherit' }),
    );
    const codes = await Promise.all(processes.map((child) => once(child, 'exit').then(([code]) => code)));
    expect(codes).toEqual([0, 0, 0, 0, 0]);
    expect(await readFile(count, 'utf8')).toBe('5');
    expect(await readdir(folder)).toEqual(['count']);
  });

  it('gives the lock back when the work fails, and returns what it returns when it does not', async () => {
    const lock = join(await temporaryFolder(), 'lock');
    const failing = withLock(lock, { onWait() {}, work: () => Promise.reject(new Error('no')) });
    await expect(failing).rejects.toThrow('no');
    expect(existsSync(lock)).toBe(false);
    expect(await withLock(lock, { onWait() {}, work: async () => 5 })).toBe(5);
  });

  it('takes over a lock that nobody has touched for a minute', async () => {
    const lock = join(await temporaryFolder(), 'lock');
    await writeFile(lock, String(process.pid));
    const old = new Date(Date.now() - 61_000);
    await utimes(lock, old, old);
    expect(await withLock(lock, { onWait() {}, work: async () => 'done' })).toBe('done');
  });
});
