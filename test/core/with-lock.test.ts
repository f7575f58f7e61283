/** Locks between processes of a machine, and of hosts that share a folder. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, test, vi } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
import { hashBytes } from '../../src/core/hash.ts';
import { processStartTime } from '../../src/core/process-identity.ts';
import { withLock } from '../../src/core/with-lock.ts';
import { gate } from '../helpers/gate.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

/** A process that runs this work under the lock. */
function lockingProcess(lock: string, work: string): ChildProcess {
  const program = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { setTimeout } from 'node:timers/promises';
    import { withLock } from ${JSON.stringify(projectFile('src/core/with-lock.ts'))};
    await withLock(${JSON.stringify(lock)}, async () => { ${work} });`;
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function place() {
  const folder = await temporaryFolder();
  return { folder, lock: join(folder, 'object.lock') };
}

const gone = { host: hostname(), pid: 999_999_999, startTime: 'a:1', id: 'x' };

describe('withLock', () => {
  it('lets one process work at a time, also when all find the lock of one that is gone', {
    timeout: 60_000,
  }, async () => {
    const { folder, lock } = await place();
    const count = join(folder, 'count');
    await writeFile(count, '0');
    await writeFile(lock, JSON.stringify(gone));
    // Reads a count, waits, writes it one higher: without the lock, counts get lost.
    const work = `const before = Number(readFileSync(${JSON.stringify(count)}, 'utf8'));
      await setTimeout(100); writeFileSync(${JSON.stringify(count)}, String(before + 1));`;
    const processes = Array.from({ length: 4 }, () => lockingProcess(lock, work));
    const codes = await Promise.all(processes.map((child) => once(child, 'exit').then(([code]) => code)));
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(await readFile(count, 'utf8')).toBe('4');
    expect(await readdir(folder)).toEqual(['count']);
  });

  it('waits for a process that holds it, and takes it over at once when that is killed', {
    timeout: 60_000,
  }, async () => {
    const { folder, lock } = await place();
    const holder = lockingProcess(lock, "process.stdout.write('held'); await setTimeout(600_000);");
    await once(holder.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    const work = vi.fn(async () => 'done');
    const waiting = withLock(lock, work);
    await sleep(1000);
    expect(work).not.toHaveBeenCalled();
    holder.kill('SIGKILL');
    const killedAt = performance.now();
    expect(await waiting).toBe('done');
    expect(performance.now() - killedAt).toBeLessThan(5000);
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes over the lock of an earlier process whose number another process has now', async () => {
    const { lock } = await place();
    await writeFile(lock, JSON.stringify({ ...gone, pid: process.pid }));
    expect(await withLock(lock, async () => 'done')).toBe('done');
    const startTime = await processStartTime(process.pid);
    await writeFile(lock, JSON.stringify({ ...gone, pid: process.pid, startTime }));
    const signal = AbortSignal.timeout(600);
    await expect(withLock(lock, async () => 'done', { signal })).rejects.toThrow(/aborted/);
  });

  it.skipIf(process.platform !== 'linux')('can’t be held by a socket with a name that is known', async () => {
    const { lock } = await place();
    for (const name of [lock, lock.replace(/\.lock$/, ''), `scenes ${join(lock, '..')}`]) {
      const squatter = createServer().listen(`\0dataengine-${hashBytes(name).slice(0, 32)}`);
      onTestFinished(() => void squatter.close());
      await once(squatter, 'listening');
    }
    expect(await withLock(lock, async () => 'done', { signal: AbortSignal.timeout(5000) })).toBe('done');
  });

  it('orders work of one process too, and is released when work fails', async () => {
    const { folder, lock } = await place();
    const at = gate();
    const order: string[] = [];
    const first = withLock(lock, () => at.opened.then(() => order.push('first')));
    await vi.waitFor(async () => expect(await readdir(folder)).toContain('object.lock'));
    const second = withLock(lock, async () => {
      order.push('second');
      throw new Error('no');
    });
    const failed = expect(second).rejects.toThrow('no');
    await sleep(500);
    at.open();
    await Promise.all([first, failed]);
    expect(order).toEqual(['first', 'second']);
    expect(await readdir(folder)).toEqual([]);
  });

  it('stops waiting when it is aborted, and leaves the lock and nothing else', async () => {
    const { folder, lock } = await place();
    const held = { ...gone, host: 'elsewhere' };
    await writeFile(lock, JSON.stringify(held));
    const controller = new AbortController();
    const waiting = withLock(lock, async () => 'done', { signal: controller.signal });
    const aborted = expect(waiting).rejects.toThrow('enough');
    await sleep(300);
    controller.abort(new Error('enough'));
    await aborted;
    expect(await readdir(folder)).toEqual(['object.lock']);
    expect(JSON.parse(await readFile(lock, 'utf8'))).toEqual(held);
  });
});

describe('a lock of another host', () => {
  it('is waited for as long as it is touched, and taken over afterwards', async () => {
    const { lock } = await place();
    await writeFile(lock, JSON.stringify({ ...gone, host: 'elsewhere' }));
    const work = vi.fn(async () => 'done');
    const waiting = withLock(lock, work, { abandonedAfterSeconds: 1 });
    for (let index = 0; index < 8; index += 1) {
      await sleep(250);
      await utimes(lock, new Date(), new Date());
    }
    expect(work).not.toHaveBeenCalled();
    expect(await waiting).toBe('done');
  });

  it('that took over is not released by the one that lost it', async () => {
    const { lock } = await place();
    const other = JSON.stringify({ ...gone, host: 'elsewhere' });
    await withLock(lock, () => writeFile(lock, other));
    expect(await readFile(lock, 'utf8')).toBe(other);
  });
});

test.each([
  ['an empty file', (lock: string) => writeFile(lock, '')],
  ['a text', (lock: string) => writeFile(lock, '4711')],
  ['a pipe', async (lock: string) => void execFileSync('mkfifo', [lock])],
  ['a folder', (lock: string) => mkdir(join(lock, 'folder'), { recursive: true })],
  ['a link to an endless file', (lock: string) => symlink('/dev/zero', lock)],
])('%s in the place of a lock delays the work, and does not stop it', async (_, make) => {
  const { folder, lock } = await place();
  await make(lock);
  expect(await withLock(lock, async () => 'done', { abandonedAfterSeconds: 0.5 })).toBe('done');
  expect(await readdir(folder)).toEqual([]);
});

test('where no lock can be made, the work is done without', async () => {
  const { folder } = await place();
  await writeFile(join(folder, 'file'), '');
  expect(await withLock(join(folder, 'file/object.lock'), async () => 'done')).toBe('done');
  expect(await withLock('/proc/object.lock', async () => 'done')).toBe('done');
});
