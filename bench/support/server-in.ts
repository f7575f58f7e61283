import { join } from 'node:path';
import { temporalExecutable } from '../../cli/temporal-executable.ts';
import { startTemporalServer, type TemporalServer } from '../../demo/command/temporal-server.ts';

/** Starts a Temporal server with its state and its log in a folder. */
export async function startServerIn(folder: string): Promise<TemporalServer> {
  return startTemporalServer({
    executable: await temporalExecutable(),
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
  });
}
