import { Client, Connection } from '@temporalio/client';
import type { Duration } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { reach } from '../workers/connection.ts';
import { loadPayloadKeys, payloadConverterOf } from '../workers/payload-codec.ts';

/**
 * A client connected as the `temporal` command would be: TEMPORAL_ADDRESS and its like, or a profile of Temporal's
 * config file. Payloads are encrypted where there is a key. Close its connection when done.
 *
 * @throws ServerUnreachable
 * @throws InputError when the payload key is wrong
 */
export async function connectClient(address?: string, connectTimeout?: Duration): Promise<Client> {
  const dataConverter = payloadConverterOf(await loadPayloadKeys());
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const options = {
    ...connectionOptions,
    ...(address !== undefined && { address }),
    ...(connectTimeout !== undefined && { connectTimeout }),
  };
  const connection = await reach(options.address, () => Connection.connect(options));
  return new Client({ connection, namespace, dataConverter });
}

/** Runs the work with a client as of `connectClient`, and closes its connection. */
export async function withClient<R>(work: (client: Client) => Promise<R>): Promise<R> {
  const client = await connectClient();
  try {
    return await work(client);
  } finally {
    await client.connection.close();
  }
}
