/**
 * Reads a run again and again until it ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, isGrpcServiceError } from '@temporalio/client';
import { type RunView, readRound, readRunView } from './run-view.ts';

const readEveryMilliseconds = 700;
/** For all of a view: a worker that does not answer takes some of it. */
const answerTimeoutMilliseconds = 12_000;
const maxReadsWithoutAnswer = 12;

/**
 * Calls `show` with each view, and with undefined while the server does not answer. Returns when the run has ended.
 * The last view of each round has all of its steps, however soon the next round starts.
 *
 * It polls, for a long poll under way could not be stopped together with the watching.
 *
 * @throws WorkflowNotFoundError when there is no such run
 * @throws the server's error when it does not answer for minutes
 * @throws the signal's reason when aborted; the workflow continues
 */
export async function followRun(
  client: Client,
  workflowId: string,
  show: (view: RunView | undefined) => void,
  signal?: AbortSignal,
): Promise<void> {
  let unanswered = 0;
  let shownRound: number | undefined;
  while (!signal?.aborted) {
    try {
      const deadline = Date.now() + answerTimeoutMilliseconds;
      const views = await client.withDeadline(deadline, async () => {
        const view = await readRunView(client, workflowId);
        return [...(await endedSince(client, shownRound, view)), view];
      });
      unanswered = 0;
      if (signal?.aborted) break;
      for (const view of views) show(view);
      const last = views.at(-1) as RunView;
      if (last.status !== 'RUNNING') return;
      shownRound = last.round ?? shownRound;
    } catch (error) {
      if (signal?.aborted) break;
      unanswered += 1;
      if (!isUnanswered(error) || unanswered > maxReadsWithoutAnswer) throw error;
      show(undefined);
    }
    await sleep(readEveryMilliseconds, undefined, { signal }).catch(() => undefined);
  }
  // What is said of the end stands below the last view: no other is drawn over it.
  signal?.throwIfAborted();
}

/** The rounds that ended since the last view, each as a view of its own: it may have had steps that no view showed. */
async function endedSince(client: Client, shown: number | undefined, view: RunView): Promise<RunView[]> {
  const { round, progress } = view;
  if (shown === undefined || round === undefined || progress?.roundWorkflowId === undefined) return [];
  const views: RunView[] = [];
  for (let number = shown; number < round; number += 1) {
    const steps = await readRound(client, progress.roundWorkflowId.replace(/\d+$/, String(number)));
    if (steps) views.push({ ...view, ...steps, activities: [], generation: undefined, unattended: [] });
  }
  return views;
}

function isUnanswered(error: unknown): boolean {
  return isGrpcServiceError(error) || (error instanceof Error && isGrpcServiceError(error.cause));
}
