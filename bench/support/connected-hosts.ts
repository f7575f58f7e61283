/**
 * Hosts that share only a Temporal server and a store on S3, for a run over several of them.
 */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { connectClient } from '../../cli/temporal-client.ts';
import type { OwnedProcess } from '../../demo/command/child-process.ts';
import { startTemporalServer } from '../../demo/command/temporal-server.ts';
import { projectFile } from '../../src/core/files.ts';
import { shardTimes } from './histories.ts';
import { createHosts, type Host } from './hosts.ts';
import { firstMatch } from './process-figures.ts';
import { startS3Server, type TestS3Server } from './s3-server.ts';
import { accessTo } from './worker-access.ts';

export interface HostWorker {
  queue: string;
  /** Names its log. Default: its kind. */
  called?: string;
  /** Default: the real trainer. */
  trainerEntry?: string;
  /** The only processor that it and its trainers may use; default: all. */
  processor?: number;
  environment?: Record<string, string>;
}

export interface ConnectedHosts {
  hosts: Host[];
  client: Client;
  store: TestS3Server;
  /** Resolves once the worker polls. */
  startWorker(host: Host, kind: 'cpu' | 'gpu', worker: HostWorker): Promise<OwnedProcess>;
  /** @throws Error when a worker has failed, so that nothing waits for it */
  requireWorkers(): void;
  close(): Promise<void>;
}

/** The start of a command line for TypeScript. */
export const withTsx = ['--import', import.meta.resolve('tsx')];

/**
 * Creates the hosts, and starts the Temporal server and the store between them. This process may use the store too: its
 * environment names it.
 *
 * @param folder gets a folder for each host, the servers' data and all logs
 */
export async function connectHosts(folder: string, names: string[]): Promise<ConnectedHosts> {
  const made = createHosts(folder, names);
  const closing: (() => unknown)[] = [() => made.remove()];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const store = await startS3Server(folder);
    closing.push(() => store.kill());
    Object.assign(process.env, store.environment);
    const temporal = await startTemporalServer(folder);
    closing.push(() => temporal.process.stop());
    const client = await connectClient(temporal.address);
    closing.push(() => client.connection.close());
    const environment = {
      ...store.environment,
      AWS_ENDPOINT_URL_S3: `http://${await made.expose(store.port)}`,
      TEMPORAL_ADDRESS: await made.expose(Number(temporal.address.split(':').at(-1))),
      TEMPORAL_NAMESPACE: 'default',
      DATAENGINE_EXIT_WITH_PARENT: '1',
    };
    let failure: string | undefined;
    return {
      hosts: made.hosts,
      client,
      store,
      async startWorker(host, kind, { queue, called = kind, trainerEntry, processor, environment: own }) {
        const trainer = trainerEntry === undefined ? [] : [trainerEntry];
        const worker = await host.start({
          name: called,
          arguments: [...withTsx, projectFile(`workers/${kind}.ts`), queue, ...trainer],
          environment: { ...environment, ...(await accessTo(host.disk)), ...own },
          processor,
        });
        void worker.ended.then((how) => {
          if (/code [^0]/.test(how)) failure = `${host.name}'s ${called} worker ${how}; see ${worker.logFile}`;
        });
        await firstMatch(worker.logFile, /(RUNNING)/);
        return worker;
      },
      requireWorkers() {
        if (failure !== undefined) throw new Error(failure);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Copies what a run reads to a host: the demo's base model, configs, prompts. */
export async function copyProjectTo({ disk }: Host): Promise<void> {
  for (const path of ['configs', 'data/stage1']) await cp(projectFile(path), join(disk, path), { recursive: true });
}

/**
 * How many parts of a step each of the workers did.
 *
 * @param round id of the round's workflow
 * @param activity such as `evaluateShard`
 */
export async function partsDoneBy(
  workers: readonly OwnedProcess[],
  { client }: ConnectedHosts,
  round: string,
  activity: string,
): Promise<number[]> {
  const parts = shardTimes(await client.workflow.getHandle(round).fetchHistory(), activity);
  return workers.map(({ pid }) => parts.filter(({ worker }) => worker.startsWith(`${pid}@`)).length);
}
