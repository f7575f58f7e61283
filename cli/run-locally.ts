/**
 * `dataengine run --local`: a Temporal server and workers of this machine's own, where there are none, for one run.
 */
import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Client } from '@temporalio/client';
import { isPolled } from '../activities/is-polled.ts';
import type { OwnedProcess } from '../demo/command/child-process.ts';
import {
  failWhenOneEnds,
  startWorkers,
  stopAll,
  type WorkerKind,
  workerKinds,
} from '../demo/command/local-processes.ts';
import { removeServerState, startTemporalServer } from '../demo/command/temporal-server.ts';
import type { Config } from '../src/config/schema.ts';
import { openRunDirectory } from '../src/core/run-directory.ts';
import { withLock } from '../src/core/with-lock.ts';
import { ServerUnreachable } from '../workers/connection.ts';
import { Interrupted } from './failures.ts';
import { say } from './say.ts';
import { connectClient } from './temporal-client.ts';

export interface LocalRun {
  config: Config;
  configFile: string;
  /** The run's name. */
  run: string;
  signal: AbortSignal;
  /** Tests give a trainer of their own. */
  trainerEntry?: string | undefined;
}

/**
 * Runs the work with a client of the server that Temporal's settings point to, or of one that is started in the run's folder;
 * and with workers, started for each queue that nobody polls. What was started is stopped at the end, however that comes about.
 *
 * @param work is also told whether it has workers of its own, without which it can't go on
 * @throws what the work throws; an error that names the log when a process ends before the work does
 */
export async function runLocally<R>(
  local: LocalRun,
  work: (client: Client, given: { ownsWorkers: boolean }) => Promise<R>,
): Promise<R> {
  const { config, configFile, run, signal, trainerEntry } = local;
  const directory = openRunDirectory(resolve(config.runsDirectory), run).root;
  const logs = join(directory, 'logs');
  await mkdir(logs, { recursive: true });
  // A second command must not replace the server's database under the first one.
  return withLock(
    join(directory, 'local.lock'),
    async () => {
      const workers: OwnedProcess[] = [];
      let server: OwnedProcess | undefined;
      let client = await clientOfRunningServer();
      try {
        let address: string | undefined;
        if (client === undefined) {
          await removeServerState(directory);
          const started = await startTemporalServer(directory, logs);
          server = started.process;
          address = started.address;
          say(`Temporal UI   ${started.ui}`);
          client = await connectClient(address);
        }
        const kinds = await queuesWithoutWorkers(client, config);
        await startWorkers({ config, configFile, directory, kinds, address, trainerEntry }, workers);
        say(
          `Started       ${[...(server ? ['server'] : []), ...kinds.map((kind) => `${kind} worker`)].join(', ') || 'nothing'}`,
        );
        say(`Logs          ${logs}`);
        const started = [...workers, ...(server ? [server] : [])];
        const ends = started.length === 0 ? [] : [failWhenOneEnds(started)];
        const stopping = new AbortController();
        const stopped = AbortSignal.any([signal, stopping.signal]);
        // Each call of the client listens to it.
        setMaxListeners(0, stopped);
        const connected = client;
        const given = { ownsWorkers: workers.length > 0 };
        const done = connected.withAbortSignal(stopped, () => work(connected, given));
        try {
          return await Promise.race([done, ...ends]);
        } finally {
          // A call under way must end before its connection does.
          stopping.abort();
          await done.catch((error: unknown) => {
            if (error instanceof Interrupted) throw error;
          });
          signal.throwIfAborted();
        }
      } finally {
        await client?.connection.close();
        await stopAll(workers, server);
      }
    },
    { signal, onWait: (pid) => say(`Waiting       process ${pid ?? '?'} runs ${run} here; Ctrl-C ends the wait`) },
  );
}

async function clientOfRunningServer(): Promise<Client | undefined> {
  try {
    return await connectClient(undefined, '3 seconds');
  } catch (error) {
    if (error instanceof ServerUnreachable) return undefined;
    throw error;
  }
}

/** The kinds of workers whose queue nobody polls. */
async function queuesWithoutWorkers(client: Client, config: Config): Promise<WorkerKind[]> {
  const polled = await Promise.all(
    workerKinds.map((kind) => isPolled(client, config.temporal.taskQueues[kind], 'activity')),
  );
  return workerKinds.filter((_, index) => !polled[index]);
}
