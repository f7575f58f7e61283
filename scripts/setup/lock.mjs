import { linkSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const abandonedAfter = 60_000;

/**
 * Runs the work while no other process on this machine runs work under the same lock file. A lock is abandoned when its
 * process has ended, or when nobody touches it for a minute while we wait.
 */
export async function withLock(file, { onWait, work, timeout = abandonedAfter }) {
  mkdirSync(dirname(file), { recursive: true });
  const breaking = `${file}.breaking`;
  const isAbandoned = abandonment(file, timeout);
  const isBreakingAbandoned = abandonment(breaking, timeout);
  let hasReported = false;
  while (!take(file)) {
    if (isAbandoned()) breakLock({ file, breaking, isAbandoned, isBreakingAbandoned });
    else {
      if (!hasReported) onWait(readOwner(file));
      hasReported = true;
      await sleep(200);
    }
  }
  const release = () => rmSync(file, { force: true });
  const touching = setInterval(() => touch(file), 5_000).unref();
  process.on('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    process.off('exit', release);
    release();
  }
}

// The lock appears with its owner's id already in it: a hard link is made whole or not at all.
function take(file) {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

// Only one process may break a lock, and it checks again once it may: otherwise a second process could remove the lock
// that the first has just taken.
function breakLock({ file, breaking, isAbandoned, isBreakingAbandoned }) {
  if (!take(breaking)) {
    if (isBreakingAbandoned()) rmSync(breaking, { force: true });
    return;
  }
  if (isAbandoned()) rmSync(file, { force: true });
  rmSync(breaking, { force: true });
}

// By how long we have seen no touch ourselves, not by the time of day, which may be set meanwhile.
function abandonment(file, timeout) {
  let seen;
  return () => {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (!stats) return false;
    const owner = readOwner(file);
    if (owner !== undefined && !isRunning(owner)) return true;
    if (seen?.touched !== stats.mtimeMs) seen = { touched: stats.mtimeMs, since: performance.now() };
    return performance.now() - seen.since > timeout;
  };
}

function readOwner(file) {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function isRunning(id) {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function touch(file) {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // Somebody removed the lock by hand; there is nothing to keep fresh.
  }
}
