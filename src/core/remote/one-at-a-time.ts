import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashBytes } from '../hash.ts';

const lookMilliseconds = 300;

/**
 * Does the work while no other process of this machine does work of the same name. The lock is a name in Linux's abstract
 * socket namespace: it goes with its process, whatever way that ends, and leaves no file. Elsewhere, and between
 * containers, nothing is locked: the work must be right without.
 */
export async function oneAtATime<R>(name: string, work: () => Promise<R>, signal?: AbortSignal): Promise<R> {
  if (process.platform !== 'linux') return work();
  const path = `\0dataengine-${hashBytes(name).slice(0, 32)}`;
  let lock: Server | undefined;
  for (;;) {
    signal?.throwIfAborted();
    lock = await listen(path);
    if (lock !== undefined) break;
    await sleep(lookMilliseconds, undefined, { signal });
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
