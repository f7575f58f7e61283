import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashBytes } from './hash.ts';

const retryMilliseconds = 300;

/**
 * Runs the work while no other process of this machine runs work under the same name. The lock is a name in Linux's
 * abstract socket namespace: it is released when its process ends, however that happens, and leaves no file. On other
 * systems, and between containers, nothing is locked: the work must be correct without the lock.
 *
 * @throws the signal's reason while it waits; what the work throws
 */
export async function withLock<R>(name: string, work: () => Promise<R>, signal?: AbortSignal): Promise<R> {
  if (process.platform !== 'linux') return work();
  const path = `\0dataengine-${hashBytes(name).slice(0, 32)}`;
  let lock: Server | undefined;
  for (;;) {
    signal?.throwIfAborted();
    lock = await listen(path);
    if (lock !== undefined) break;
    await sleep(retryMilliseconds, undefined, { signal });
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}
