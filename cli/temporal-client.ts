import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

/**
 * A client connected as the `temporal` command would be: TEMPORAL_ADDRESS and its like, or a profile of Temporal's
 * config file. Close its connection when done.
 */
export async function connectClient(address?: string): Promise<Client> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = await Connection.connect({ ...connectionOptions, ...(address === undefined ? {} : { address }) });
  return new Client({ connection, namespace });
}
