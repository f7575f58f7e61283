/**
 * Reads a run again and again until it ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, isGrpcServiceError } from '@temporalio/client';
import { type RunView, readRunView } from './run-view.ts';

const readEveryMilliseconds = 700;
const answerTimeoutMilliseconds = 5000;
const maxReadsWithoutAnswer = 12;

/**
 * Calls `show` with each view, and with undefined while the server does not answer. Returns when the run has ended.
 *
 * It polls, for a long poll under way could not be stopped together with the watching.
 *
 * @throws WorkflowNotFoundError when there is no such run
 * @throws the server's error when it does not answer for a minute
 * @throws the signal's reason when aborted; the workflow continues
 */
export async function followRun(
  client: Client,
  workflowId: string,
  show: (view: RunView | undefined) => void,
  signal?: AbortSignal,
): Promise<void> {
  let unanswered = 0;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const deadline = Date.now() + answerTimeoutMilliseconds;
      const view = await client.withDeadline(deadline, () => readRunView(client, workflowId));
      unanswered = 0;
      show(view);
      if (view.status !== 'RUNNING') return;
    } catch (error) {
      unanswered += 1;
      if (!isUnanswered(error) || unanswered > maxReadsWithoutAnswer) throw error;
      show(undefined);
    }
    await sleep(readEveryMilliseconds, undefined, { signal }).catch(() => undefined);
  }
}

function isUnanswered(error: unknown): boolean {
  return isGrpcServiceError(error) || (error instanceof Error && isGrpcServiceError(error.cause));
}
