/**
 * Temporal's development server as a child process.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { InputError } from '../../src/core/input-error.ts';
import { readSetup, setupFile } from '../../src/core/setup-file.ts';
import { endingWithUs, freePorts, type OwnedProcess, startOwned } from './child-process.ts';

/** The file in the server's folder that keeps its state. */
export const databaseName = 'temporal.db';

export interface TemporalServer {
  address: string;
  /** Address of the web UI. */
  ui: string;
  process: OwnedProcess;
}

/**
 * Options of `temporal server start-dev`. Its HTTP API takes requests from any web page that is open in a browser on this
 * machine: none is allowed, under any host name. The UI uses gRPC.
 */
export const withoutHttpApi = ['--dynamic-config-value', 'frontend.httpAllowedHosts=[]'];

const startTimeoutMilliseconds = 60_000;

/**
 * Starts the server on free ports of localhost.
 *
 * @param folder keeps its state, `temporal.db`
 * @param logFolder gets `temporal-server.log`
 * @throws InputError when set-up has not run
 * @throws Error when the server does not answer; names its log file
 */
export async function startTemporalServer(folder: string, logFolder = folder): Promise<TemporalServer> {
  const logFile = join(logFolder, 'temporal-server.log');
  const [port, uiPort] = (await freePorts(2)) as [number, number];
  const address = `127.0.0.1:${port}`;
  const server = await startOwned({
    name: 'Temporal server',
    ...endingWithUs(await temporalExecutable(), [
      'server',
      'start-dev',
      '--ip',
      '127.0.0.1',
      '--port',
      String(port),
      '--ui-port',
      String(uiPort),
      '--db-filename',
      join(folder, databaseName),
      '--log-level',
      'warn',
      ...withoutHttpApi,
    ]),
    logFile,
  });
  let end: string | undefined;
  void server.ended.then((how) => {
    end = how;
  });
  const deadline = Date.now() + startTimeoutMilliseconds;
  while (!(await answers(address))) {
    if (end !== undefined || Date.now() > deadline) {
      await server.stop(1);
      throw new Error(`the Temporal server ${end ?? 'did not answer in time'}; see ${logFile}`);
    }
    await sleep(200);
  }
  return { address, ui: `http://127.0.0.1:${uiPort}`, process: server };
}

async function answers(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: '2 seconds' });
    try {
      await connection.workflowService.describeNamespace({ namespace: 'default' });
    } finally {
      await connection.close();
    }
    return true;
  } catch {
    return false;
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
      remedy: 'Run `node scripts/setup.mjs`',
    });
  return setup.temporal;
}
