import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { endingWithUs, type OwnedProcess, startOwned } from './child-process.ts';
import { freePorts } from './free-port.ts';

export interface TemporalServer {
  address: string;
  /** Address of the web UI. */
  ui: string;
  process: OwnedProcess;
}

const startPatienceMilliseconds = 60_000;

/**
 * Starts Temporal's development server on free ports of localhost, its state in a file.
 *
 * @throws Error when it does not answer; its log file is named
 */
export async function startTemporalServer(input: {
  executable: string;
  databaseFile: string;
  logFile: string;
}): Promise<TemporalServer> {
  const [port, uiPort] = (await freePorts(2)) as [number, number];
  const address = `127.0.0.1:${port}`;
  const server = await startOwned({
    name: 'Temporal server',
    ...endingWithUs(input.executable, [
      'server',
      'start-dev',
      '--ip',
      '127.0.0.1',
      '--port',
      String(port),
      '--ui-port',
      String(uiPort),
      '--db-filename',
      input.databaseFile,
      '--log-level',
      'warn',
    ]),
    logFile: input.logFile,
  });
  let end: string | undefined;
  void server.ended.then((how) => {
    end = how;
  });
  const deadline = Date.now() + startPatienceMilliseconds;
  while (!(await answers(address))) {
    if (end !== undefined || Date.now() > deadline) {
      await server.stop(1);
      throw new Error(`the Temporal server ${end ?? 'did not answer in time'}; see ${input.logFile}`);
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
