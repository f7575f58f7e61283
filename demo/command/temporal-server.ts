/**
 * Temporal's development server as a child process.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { freePorts } from '../../src/core/free-ports.ts';
import { InputError } from '../../src/core/input-error.ts';
import { readSetup, setupFile } from '../../src/core/setup-file.ts';
import { noteLocalServer } from '../../src/round/owner/local-servers.ts';
import { endingWithUs, type OwnedProcess, ProcessEnded, startOwned } from './child-process.ts';

/** The file in the server's folder that keeps its state. */
const databaseName = 'temporal.db';

export interface TemporalServer {
  address: string;
  /** Address of the web UI. */
  ui: string;
  process: OwnedProcess;
}

const startTimeoutMilliseconds = 60_000;

/**
 * Starts the server on free ports of localhost.
 *
 * @param folder keeps its state, `temporal.db`, and which servers it had
 * @param logFolder gets `temporal-server.log`
 * @throws InputError when set-up has not run
 * @throws ProcessEnded when the server does not answer
 */
export async function startTemporalServer(folder: string, logFolder = folder): Promise<TemporalServer> {
  const logFile = join(logFolder, 'temporal-server.log');
  const [port, uiPort] = (await freePorts(2)) as [number, number];
  const address = `127.0.0.1:${port}`;
  const server = await startOwned({
    name: 'Temporal server',
    ...endingWithUs(await temporalExecutable(), serverArguments({ port, uiPort, folder, logLevel: 'warn' })),
    logFile,
  });
  let end: string | undefined;
  void server.ended.then((how) => {
    end = how;
  });
  const deadline = Date.now() + startTimeoutMilliseconds;
  let cluster = await clusterAt(address);
  while (cluster === undefined) {
    if (end !== undefined || Date.now() > deadline) {
      await server.stop(1);
      throw new ProcessEnded(server, end ?? 'did not answer in time');
    }
    await sleep(200);
    cluster = await clusterAt(address);
  }
  await noteLocalServer(folder, cluster, server.pid);
  return { address, ui: `http://127.0.0.1:${uiPort}`, process: server };
}

/** Removes the state that a server has left in its folder: a run resumes from what its steps left, without its history. */
export async function removeServerState(folder: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) await rm(join(folder, databaseName + suffix), { force: true });
}

/**
 * Arguments of the Temporal CLI for a server on localhost.
 *
 * @param options.folder keeps its state, `temporal.db`
 */
export function serverArguments(options: {
  port: number;
  uiPort: number;
  folder: string;
  logLevel: 'warn' | 'error';
}): string[] {
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1'],
    ...['--port', String(options.port), '--ui-port', String(options.uiPort)],
    ...['--db-filename', join(options.folder, databaseName), '--log-level', options.logLevel],
    // The HTTP API takes requests from any web page that is open in a browser on this machine: none is allowed, under any
    // host name. The UI uses gRPC.
    ...['--dynamic-config-value', 'frontend.httpAllowedHosts=[]'],
  ];
}

/** The id of the server's cluster, once it answers. */
async function clusterAt(address: string): Promise<string | undefined> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: '2 seconds' });
    try {
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      return (await connection.workflowService.getClusterInfo({})).clusterId || 'unknown';
    } finally {
      await connection.close();
    }
  } catch {
    return undefined;
  }
}

/**
 * Path of the Temporal CLI.
 *
 * @throws InputError when set-up has not run
 */
export async function temporalExecutable(): Promise<string> {
  const setup = await readSetup();
  if (setup === undefined)
    throw new InputError({
      file: setupFile,
      problem: 'the set-up has not run',
      remedy: 'Run `dataengine setup`',
    });
  return setup.temporal;
}
