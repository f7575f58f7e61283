/**
 * Looks at a run again and again until it ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, isGrpcServiceError } from '@temporalio/client';
import { type RunView, readRunView } from './run-view.ts';

const lookEveryMilliseconds = 700;
const patienceMilliseconds = 5000;
const silenceLimit = 12;

/**
 * Calls `see` with each look, and with undefined while the server does not answer. Returns when the run has ended.
 *
 * @throws WorkflowNotFoundError when there is no such run
 * @throws the server's error when it does not answer for a minute
 * @throws the signal's reason when aborted; the workflow goes on
 */
export async function followRun(
  client: Client,
  workflowId: string,
  see: (view: RunView | undefined) => void,
  signal?: AbortSignal,
): Promise<void> {
  let unanswered = 0;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const view = await client.withDeadline(Date.now() + patienceMilliseconds, () => readRunView(client, workflowId));
      unanswered = 0;
      see(view);
      if (view.status !== 'RUNNING') return;
    } catch (error) {
      unanswered += 1;
      if (!isSilence(error) || unanswered > silenceLimit) throw error;
      see(undefined);
    }
    await sleep(lookEveryMilliseconds, undefined, { signal }).catch(() => undefined);
  }
}

function isSilence(error: unknown): boolean {
  return isGrpcServiceError(error) || (error instanceof Error && isGrpcServiceError(error.cause));
}
