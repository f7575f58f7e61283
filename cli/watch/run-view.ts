/**
 * What can be seen of a run: read from its queries, and from the heartbeats that the server keeps, so that progress
 * shows even while a worker is away.
 */
import { ApplicationFailure, type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { HeartbeatDetails } from '../../activities/heartbeat.ts';
import { isPolled } from '../../activities/is-polled.ts';
import type { RoundSummary } from '../../workflows/inputs.ts';
import type { DataEngineProgress, GenerationProgress, RoundProgress, StepRecord } from '../../workflows/messages.ts';
import { type Workers, wordsOfActivity, workersOf } from './activity-words.ts';
import { type Description, type PendingActivity, pendingActivities } from './pending-activities.ts';

export interface ActivityView {
  /** Unique within its workflow. */
  id: string;
  name: string;
  attempt: number;
  /** Stopped by `dataengine pause --now` or `temporal activity pause`. */
  paused: boolean;
  details?: HeartbeatDetails;
  lastFailure?: string;
  /** When the next attempt starts, in ISO 8601; absent while one runs. */
  nextTryAt?: string;
}

export interface GenerationView extends GenerationProgress {
  workflowId: string;
  step: 'generate' | 'verify' | 'judge';
  /** Of the chunks under way, the one that failed most often. */
  retry?: Pick<ActivityView, 'attempt' | 'lastFailure' | 'nextTryAt'>;
}

export interface RunView {
  workflowId: string;
  /** Temporal's word, such as RUNNING. */
  status: string;
  progress?: DataEngineProgress;
  /** The finished rounds. */
  rounds: RoundSummary[];
  /** Of the round that is under way, or was the last. */
  round?: number;
  steps: StepRecord[];
  activities: ActivityView[];
  generation?: GenerationView;
  /** Workers that something waits for, and of which there are none. */
  unattended: Workers[];
}

/** @throws WorkflowNotFoundError when there is no such run */
export async function readRunView(client: Client, workflowId: string): Promise<RunView> {
  const description = await client.workflow.getHandle(workflowId).describe();
  const isRunning = description.status.name === 'RUNNING';
  const queue = description.taskQueue;
  const isPolledNow = !isRunning || (await isPolled(client, queue, 'workflow'));
  const patience = isPolledNow ? queryTimeoutMilliseconds : startTimeoutMilliseconds;
  const progress = await query<DataEngineProgress>(client, workflowId, 'progress', patience);
  // Where nobody answers the first query, waiting for others would only take time.
  const rounds = progress && (await query<RoundSummary[]>(client, workflowId, 'rounds'));
  const view: RunView = {
    workflowId,
    status: description.status.name,
    progress,
    rounds: rounds ?? [],
    steps: [],
    activities: [],
    unattended: progress === undefined && !isPolledNow ? [{ kind: 'cpu', queue }] : [],
  };
  await addActivities(client, description, view);
  const [child] = childrenOf(description);
  // A round that has ended is shown until the next one starts.
  const roundWorkflowId = child ?? progress?.roundWorkflowId;
  if (progress !== undefined && roundWorkflowId !== undefined)
    Object.assign(view, await readRound(client, roundWorkflowId));
  if (child !== undefined) await addChild(client, child, view);
  view.unattended = view.unattended.filter(
    ({ queue }, index, all) => all.findIndex((other) => other.queue === queue) === index,
  );
  return view;
}

/** The steps of a round, while it runs or after; undefined when no worker answers. */
export function readRound(client: Client, roundWorkflowId: string): Promise<RoundProgress | undefined> {
  return query<RoundProgress>(client, roundWorkflowId);
}

async function addChild(client: Client, workflowId: string, view: RunView): Promise<void> {
  const description = await describeChild(client, workflowId);
  if (description === undefined) return;
  await addActivities(client, description, view);
  for (const grandchild of childrenOf(description)) {
    const generation = await describeChild(client, grandchild);
    if (generation === undefined) continue;
    const chunks = await pendingActivities(client, generation);
    addUnattended(chunks, view);
    const progress = view.progress && (await query<GenerationProgress>(client, grandchild));
    if (progress === undefined) {
      view.activities.push(...chunks.map(viewOf));
      continue;
    }
    const [worst] = chunks
      .filter(({ lastFailure }) => lastFailure !== undefined)
      .sort((one, other) => other.attempt - one.attempt);
    const { attempt = 1, lastFailure, nextTryAt } = worst ?? {};
    view.generation = {
      ...progress,
      workflowId: grandchild,
      step: stepOfChild(grandchild),
      ...(worst && { retry: { attempt, lastFailure, nextTryAt } }),
    };
  }
}

/** A parent names its child a moment before the server has started it: undefined then. */
async function describeChild(client: Client, workflowId: string): Promise<Description | undefined> {
  try {
    return await client.workflow.getHandle(workflowId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

async function addActivities(client: Client, description: Description, view: RunView): Promise<void> {
  const pending = await pendingActivities(client, description);
  view.activities.push(...pending.map(viewOf));
  addUnattended(pending, view);
}

function addUnattended(pending: readonly PendingActivity[], view: RunView): void {
  for (const { type, unattendedQueue } of pending)
    if (unattendedQueue !== undefined) view.unattended.push(workersOf(type, unattendedQueue));
}

function viewOf({ type, unattendedQueue: _, ...rest }: PendingActivity): ActivityView {
  return { ...rest, name: wordsOfActivity(type) };
}

function stepOfChild(workflowId: string): GenerationView['step'] {
  if (workflowId.endsWith('/verification')) return 'verify';
  return workflowId.endsWith('/judging') ? 'judge' : 'generate';
}

/** A worker that is there answers within milliseconds; one that has a large history to replay, within seconds. */
const queryTimeoutMilliseconds = 4000;
/** One that nobody has seen yet may just be starting. */
const startTimeoutMilliseconds = 1000;

/** Only a worker can answer; undefined without one. An answer that can't be decrypted is an error. */
function query<R>(
  client: Client,
  workflowId: string,
  name = 'progress',
  milliseconds = queryTimeoutMilliseconds,
): Promise<R | undefined> {
  return client
    .withDeadline(Date.now() + milliseconds, () => client.workflow.getHandle(workflowId).query<R>(name))
    .catch((error: unknown) => {
      if (error instanceof ApplicationFailure) throw error;
      return undefined;
    });
}

function childrenOf({ raw }: Description): string[] {
  return (raw.pendingChildren ?? []).flatMap(({ workflowId }) => (workflowId ? [workflowId] : []));
}
