import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { withLock } from '../../../scripts/setup/lock.mjs';
import { gate } from '../../helpers/gate.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const lockModule = new URL('../../../scripts/setup/lock.mjs', import.meta.url).href;

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

  it('takes over a lock that nobody touches until its timeout', async () => {
    const lock = join(await temporaryFolder(), 'lock');
    await writeFile(lock, String(process.pid));
    const startedAt = performance.now();
    expect(await withLock(lock, { onWait() {}, work: async () => 'done', timeout: 1000 })).toBe('done');
    expect(performance.now() - startedAt).toBeGreaterThan(1000);
  });

  it.each([
    ['forwards', 3_600_000],
    ['backwards', -3_600_000],
  ])('waits for a lock at work although the clock was set %s an hour', async (_, jump) => {
    const lock = join(await temporaryFolder(), 'lock');
    const at = gate();
    const order: string[] = [];
    const first = withLock(lock, {
      onWait() {},
      work: () => at.opened.then(() => order.push('first')),
    });
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + jump);
    const second = withLock(lock, { onWait() {}, work: async () => order.push('second') });
    await sleep(1000);
    vi.useRealTimers();
    at.open();
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
  });
});
