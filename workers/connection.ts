import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { reach } from './server-unreachable.ts';

/** A worker's connection to Temporal, and the namespace it works in. */
export interface WorkerConnection {
  connection: NativeConnection;
  namespace: string;
}

/**
 * Connects as the `temporal` command would: TEMPORAL_ADDRESS and its like, or a profile of Temporal's config file
 * (TEMPORAL_PROFILE); otherwise the default namespace of localhost:7233.
 *
 * @throws ServerUnreachable
 */
export async function connectWorker(): Promise<WorkerConnection> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await reach(connectionOptions.address, () => NativeConnection.connect(connectionOptions));
  return { connection, namespace };
}
