import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { reach } from '../workers/server-unreachable.ts';

/**
 * A client connected as the `temporal` command would be: TEMPORAL_ADDRESS and its like, or a profile of Temporal's
 * config file. Close its connection when done.
 *
 * @throws ServerUnreachable
 */
export async function connectClient(address?: string): Promise<Client> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const options = { ...connectionOptions, ...(address === undefined ? {} : { address }) };
  const connection = await reach(options.address, () => Connection.connect(options));
  return new Client({ connection, namespace });
}
