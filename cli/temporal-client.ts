import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import type { Duration } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { isPolled } from '../activities/is-polled.ts';
import { reach } from '../workers/connection.ts';
import { loadPayloadKeys, payloadConverterOf } from '../workers/payload-codec.ts';
import { say } from './say.ts';
import { describeUnattended } from './watch/activity-words.ts';

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
  // One that is looked for, and need not be there, is not waited for.
  const onWait = (place: string) =>
    connectTimeout === undefined && say(`Waiting for the Temporal server at ${place} …`);
  const connection = await reach(options.address, () => Connection.connect(options), onWait);
  return new Client({ connection, namespace, dataConverter });
}

/** No worker has taken a message to a workflow. */
export class WorkerSilent extends Error {
  override readonly name = 'WorkerSilent';
}

const answerMilliseconds = 15_000;

/**
 * Sends an update to a workflow, and waits for its answer.
 *
 * @throws WorkerSilent when no worker has answered in a while: without one nobody ever would
 * @throws WorkflowUpdateFailedError when the workflow refuses it; WorkflowNotFoundError when there is none
 */
export async function update<R>(
  client: Client,
  workflowId: string,
  name: string,
  argument?: object,
  milliseconds = answerMilliseconds,
): Promise<R> {
  const handle = client.workflow.getHandle(workflowId);
  await requireWorker(client, workflowId);
  try {
    return await client.withDeadline(Date.now() + milliseconds, () =>
      argument === undefined
        ? handle.executeUpdate<R, []>(name)
        : handle.executeUpdate<R, [object]>(name, { args: [argument] }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) throw error;
    throw new WorkerSilent(
      `${workflowId}: no worker has answered in ${Math.round(milliseconds / 1000)} seconds, so it is not known whether this ` +
        'takes effect. Start one (`dataengine worker cpu`), then look with `dataengine watch`',
      { cause: error },
    );
  }
}

/** The answer of a workflow to a query. @throws WorkerSilent when no worker has answered in a while */
export async function ask<R>(client: Client, workflowId: string, name: string): Promise<R> {
  const handle = client.workflow.getHandle(workflowId);
  await requireWorker(client, workflowId);
  try {
    return await client.withDeadline(Date.now() + answerMilliseconds, () => handle.query<R>(name));
  } catch (error) {
    const { code } = ((error as Error).cause ?? error) as { code?: unknown };
    if (code !== deadlineExceeded && code !== failedPrecondition) throw error;
    throw new WorkerSilent(`${workflowId}: no worker answers. Start one: \`dataengine worker cpu\``, { cause: error });
  }
}

/** @throws WorkerSilent where nobody polls the queue of a run under way: it need not be waited for */
async function requireWorker(client: Client, workflowId: string): Promise<void> {
  const { status, taskQueue: queue } = await client.workflow.getHandle(workflowId).describe();
  if (status.name !== 'RUNNING' || (await hasWorker(client, queue))) return;
  throw new WorkerSilent(`${workflowId}: nothing was sent. ${describeUnattended({ kind: 'cpu', queue })}`);
}

/** A worker that has just started is given this long. */
const patienceMilliseconds = 3000;

/** Whether a worker is there for the workflows of a queue. */
export async function hasWorker(client: Client, queue: string): Promise<boolean> {
  const until = Date.now() + patienceMilliseconds;
  for (;;) {
    if (await isPolled(client, queue, 'workflow')) return true;
    if (Date.now() > until) return false;
    await sleep(300);
  }
}

/** Of gRPC's statuses: the second one is that of a queue without workers. */
const deadlineExceeded = 4;
const failedPrecondition = 9;

/** Runs the work with a client as of `connectClient`, and closes its connection. */
export async function withClient<R>(work: (client: Client) => Promise<R>): Promise<R> {
  const client = await connectClient();
  try {
    return await work(client);
  } finally {
    await client.connection.close();
  }
}
