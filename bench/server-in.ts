import { join } from 'node:path';
import { startTemporalServer, type TemporalServer } from '../cli/demo/temporal-server.ts';
import { temporalExecutable } from '../cli/temporal-executable.ts';

/** Starts a Temporal server with its state and its log in a folder. */
export async function startServerIn(folder: string): Promise<TemporalServer> {
  return startTemporalServer({
    executable: await temporalExecutable(),
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
  });
}
