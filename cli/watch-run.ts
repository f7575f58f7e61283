/**
 * Follows a run in Temporal until it ends. Progress is read from the heartbeats that the server keeps, so it
 * shows even while a worker is away.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, defaultPayloadConverter, isGrpcServiceError } from '@temporalio/client';
import type { HeartbeatDetails } from '../activities/heartbeat.ts';
import { formatSeconds } from '../src/report/format-seconds.ts';
import type { DataEngineProgress, DataEngineResult, GenerationProgress, RoundProgress } from '../workflows/messages.ts';
import type { ProgressDisplay } from './progress-display.ts';

const pollMilliseconds = 700;
const answerPatienceMilliseconds = 5000;
const silenceLimit = 12;

/**
 * Shows the run's steps as they go and returns its result. A server that is away for a while is waited for.
 *
 * @throws WorkflowFailedError when it fails; WorkflowNotFoundError when there is none
 * @throws the signal's reason when aborted; the workflow goes on
 */
export async function watchRun(
  client: Client,
  workflowId: string,
  display: ProgressDisplay,
  signal?: AbortSignal,
): Promise<DataEngineResult> {
  const told = new Set<string>();
  let unanswered = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      try {
        // Polled rather than waited for: a long poll under way could not be stopped when the watching is.
        const running = await client.withDeadline(Date.now() + answerPatienceMilliseconds, () =>
          showRunning(client, workflowId, display, told),
        );
        unanswered = 0;
        if (!running) break;
      } catch (error) {
        unanswered += 1;
        if (!isServiceSilent(error) || unanswered > silenceLimit) throw error;
        tellOnce(told, 'silence', () => display.log('The Temporal server does not answer; waiting for it.'));
      }
      await sleep(pollMilliseconds, undefined, { signal }).catch(() => undefined);
    }
    const result: DataEngineResult = await client.workflow.getHandle(workflowId).result();
    // What ended between the last looks.
    const lastRound = result.rounds.at(-1)?.round;
    if (lastRound !== undefined) await tellRound(client, `${workflowId}/round-${lastRound}`, display, told);
    return result;
  } finally {
    display.stop();
  }
}

/** Shows what runs now; false when the workflow has ended. */
async function showRunning(
  client: Client,
  workflowId: string,
  display: ProgressDisplay,
  told: Set<string>,
): Promise<boolean> {
  const { raw, status } = await client.workflow.getHandle(workflowId).describe();
  showActivities(raw.pendingActivities ?? [], display, told);
  await tellPause(client, workflowId, display, told);
  for (const { workflowId: childId } of raw.pendingChildren ?? []) {
    if (!childId) continue;
    await tellRound(client, childId, display, told);
    const description = await client.workflow
      .getHandle(childId)
      .describe()
      .catch(() => undefined);
    showActivities(description?.raw.pendingActivities ?? [], display, told);
    for (const { workflowId: grandchild } of description?.raw.pendingChildren ?? []) {
      if (grandchild) await showGeneration(client, grandchild, display, told);
    }
  }
  return status.name === 'RUNNING';
}

/** Only a worker can answer; undefined without one. */
function progressOf<R>(client: Client, workflowId: string): Promise<R | undefined> {
  return client.workflow
    .getHandle(workflowId)
    .query<R>('progress')
    .catch(() => undefined);
}

/** Tells that the run is paused, and that it goes on. */
async function tellPause(
  client: Client,
  workflowId: string,
  display: ProgressDisplay,
  told: Set<string>,
): Promise<void> {
  const progress = await progressOf<DataEngineProgress>(client, workflowId);
  if (progress?.paused !== undefined) {
    const { reason } = progress.paused;
    tellOnce(told, 'paused', () =>
      display.log(`  paused${reason ? `: ${reason}` : ''}; \`dataengine resume ${workflowId}\` lets it go on`),
    );
  } else if (progress !== undefined && told.delete('paused')) display.log('  goes on');
}

/** Shows a generation as a whole: its chunks are many, and end soon. */
async function showGeneration(
  client: Client,
  workflowId: string,
  display: ProgressDisplay,
  told: Set<string>,
): Promise<void> {
  const progress = await progressOf<GenerationProgress>(client, workflowId);
  if (progress === undefined) return;
  const { round, state, answered, requests, limit, currency } = progress;
  if (state === 'waiting for a top-up') {
    tellOnce(told, `${workflowId} ${limit}`, () =>
      display.log(
        `  the budget of ${limit} ${currency} is used up: \`dataengine top-up ${workflowId} AMOUNT\` or \`dataengine finish-early ${workflowId}\``,
      ),
    );
  }
  const step = workflowId.endsWith('/verification') ? 'verify' : 'generate';
  display.show(`round ${round} ${step}`, requests > 0 ? { step: answered, steps: requests } : {});
}

type PendingActivity = NonNullable<
  Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>['raw']['pendingActivities']
>[number];

function showActivities(activities: PendingActivity[], display: ProgressDisplay, told: Set<string>): void {
  for (const { activityId, activityType, attempt, heartbeatDetails, lastFailure } of activities) {
    const payload = heartbeatDetails?.payloads?.[0];
    const details = payload == null ? undefined : defaultPayloadConverter.fromPayload<HeartbeatDetails>(payload);
    const round = details === undefined ? '' : `round ${details.round} `;
    const retry = (attempt ?? 1) > 1 ? ` (attempt ${attempt})` : '';
    if (lastFailure?.message) {
      tellOnce(told, `${activityId} ${attempt} ${lastFailure.message}`, () =>
        display.log(`  ${activityType?.name} will be tried again: ${firstLine(lastFailure.message ?? '')}`),
      );
    }
    display.show(`${round}${activityType?.name}${retry}`, details ?? {});
  }
}

/** Tells the steps that a round has finished since last time. Only a worker can answer; without one it waits. */
async function tellRound(
  client: Client,
  roundWorkflowId: string,
  display: ProgressDisplay,
  told: Set<string>,
): Promise<void> {
  const progress = await progressOf<RoundProgress>(client, roundWorkflowId);
  if (progress === undefined) return;
  const { round, steps } = progress;
  for (const { name, state, seconds = 0, note } of steps) {
    if (state === 'waiting') {
      tellOnce(told, `${round} waits`, () =>
        display.log(
          `  round ${round} waits for a decision: \`dataengine approve ${roundWorkflowId}\`, with --reject to set it aside`,
        ),
      );
    }
    if (state !== 'done') continue;
    tellOnce(told, `${round} ${name}`, () =>
      display.log(`round ${round} ${name.padEnd(9)} ${formatSeconds(seconds).padStart(12)}  ${note ?? ''}`),
    );
  }
}

function tellOnce(told: Set<string>, key: string, tell: () => void): void {
  if (told.has(key)) return;
  told.add(key);
  tell();
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function isServiceSilent(error: unknown): boolean {
  return isGrpcServiceError(error) || (error instanceof Error && isGrpcServiceError(error.cause));
}
