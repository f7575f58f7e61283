import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { s3Server, startS3Server, type TestS3Server } from '../../bench/support/s3-server.ts';

/** A server for all tests of a file, whose environment names it. Call it at the top of the file. */
export function useS3Server(): TestS3Server {
  const server = {} as TestS3Server;
  const before = { ...process.env };
  let folder: string | undefined;
  beforeAll(async () => {
    if (s3Server === undefined) return;
    folder = await mkdtemp(join(tmpdir(), 'dataengine-s3-'));
    Object.assign(server, await startS3Server(folder));
    Object.assign(process.env, server.environment);
  });
  afterAll(async () => {
    if (folder === undefined) return;
    for (const name of Object.keys(server.environment)) delete process.env[name];
    Object.assign(process.env, before);
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  });
  return server;
}
