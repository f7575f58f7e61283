/**
 * Follows a run in Temporal until it ends. Progress is read from the heartbeats that the server keeps, so it
 * shows even while a worker is away.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, defaultPayloadConverter } from '@temporalio/client';
import type { HeartbeatDetails } from '../activities/heartbeat.ts';
import type { DataEngineResult, RoundProgress, RoundSummary } from '../workflows/messages.ts';
import type { ProgressDisplay } from './progress-display.ts';
import { formatSeconds } from './rounds-table.ts';

const pollMilliseconds = 700;

/**
 * Shows the run's steps as they go and returns its result.
 *
 * @throws WorkflowFailedError when it fails
 * @throws the signal's reason when aborted; the workflow goes on
 */
export async function watchRun(client: Client, workflowId: string, display: ProgressDisplay, signal?: AbortSignal): Promise<DataEngineResult> {
  const handle = client.workflow.getHandle(workflowId);
  const told = new Set<string>();
  let finished = false;
  const result = handle.result() as Promise<DataEngineResult>;
  const ended = result.then(
    () => undefined,
    () => undefined,
  ).then(() => {
    finished = true;
  });
  try {
    while (!finished) {
      signal?.throwIfAborted();
      await showRunning(client, workflowId, display, told);
      await Promise.race([ended, sleep(pollMilliseconds)]);
    }
    const { rounds } = await result;
    for (const summary of rounds) tellOnce(told, `round ${summary.round}`, () => display.log(describeRound(summary)));
    return await result;
  } finally {
    display.stop();
  }
}

async function showRunning(client: Client, workflowId: string, display: ProgressDisplay, told: Set<string>): Promise<void> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  showActivities(raw.pendingActivities ?? [], display, told);
  for (const { workflowId: childId } of raw.pendingChildren ?? []) {
    if (!childId) continue;
    const child = client.workflow.getHandle(childId);
    const progress = await child.query<RoundProgress>('progress').catch(() => undefined);
    if (progress !== undefined) tellFinishedSteps(progress, display, told);
    const description = await child.describe().catch(() => undefined);
    showActivities(description?.raw.pendingActivities ?? [], display, told);
  }
}

type PendingActivity = NonNullable<Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>['raw']['pendingActivities']>[number];

function showActivities(activities: PendingActivity[], display: ProgressDisplay, told: Set<string>): void {
  for (const { activityId, activityType, attempt, heartbeatDetails, lastFailure } of activities) {
    const payload = heartbeatDetails?.payloads?.[0];
    const details = payload == null ? undefined : defaultPayloadConverter.fromPayload<HeartbeatDetails>(payload);
    const round = details === undefined ? '' : `round ${details.round} `;
    const retry = (attempt ?? 1) > 1 ? ` (attempt ${attempt})` : '';
    if (lastFailure?.message) {
      tellOnce(told, `${activityId} ${attempt} ${lastFailure.message}`, () => display.log(`  ${activityType?.name} will be tried again: ${firstLine(lastFailure.message ?? '')}`));
    }
    display.show(`${round}${activityType?.name}${retry}`, details ?? {});
  }
}

function tellFinishedSteps({ round, steps }: RoundProgress, display: ProgressDisplay, told: Set<string>): void {
  for (const { name, state, seconds = 0, note } of steps) {
    if (state !== 'done') continue;
    tellOnce(told, `${round} ${name}`, () => display.log(`round ${round} ${name.padEnd(9)} ${formatSeconds(seconds).padStart(12)}  ${note ?? ''}`));
  }
}

function describeRound({ round, multipleChoice, testMultipleChoice }: RoundSummary): string {
  const test = testMultipleChoice === undefined ? '' : `, test MC ${testMultipleChoice.toFixed(1)} %`;
  return `round ${round} finished: MC ${multipleChoice.toFixed(1)} %${test}`;
}

function tellOnce(told: Set<string>, key: string, tell: () => void): void {
  if (told.has(key)) return;
  told.add(key);
  tell();
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
