/**
 * Temporal servers that commands started for one run, each a cluster of its own: once the server's process has ended, none of
 * its workflows works, and there is no server to ask.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { processStartTime } from '../../core/process-identity.ts';
import { readJson } from '../../core/read-json.ts';
import { writeJson } from '../../core/write-file.ts';

/** In the run's folder. */
export const localServersName = 'temporal-servers.json';

const serversSchema = z.array(
  z.object({ cluster: z.string(), host: z.string(), pid: z.int().positive(), startTime: z.string() }),
);
const kept = 20;

/** Notes a server that was started for a run. */
export async function noteLocalServer(root: string, cluster: string, pid: number): Promise<void> {
  const startTime = await processStartTime(pid);
  if (startTime === undefined) return;
  const before = (await readServers(root)).filter((one) => one.cluster !== cluster);
  const servers = [...before, { cluster, host: hostname(), pid, startTime }].slice(-kept);
  await writeJson(join(root, localServersName), servers);
}

/** Whether a cluster was such a server of this host, and has ended. */
export async function hasEnded(root: string, cluster: string): Promise<boolean> {
  const server = (await readServers(root)).find((one) => one.cluster === cluster);
  if (server?.host !== hostname()) return false;
  return (await processStartTime(server.pid)) !== server.startTime;
}

function readServers(root: string): Promise<z.output<typeof serversSchema>> {
  return readJson(join(root, localServersName), serversSchema).catch(() => []);
}
