import type { Client } from '@temporalio/client';

/** Runs the work with a client connected as the `temporal` command would be, and closes its connection. */
export async function withClient<R>(work: (client: Client) => Promise<R>): Promise<R> {
  const client = await (await import('./temporal-client.ts')).connectClient();
  try {
    return await work(client);
  } finally {
    await client.connection.close();
  }
}
