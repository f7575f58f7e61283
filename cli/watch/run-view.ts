/**
 * What can be seen of a run: read from its queries, and from the heartbeats that the server keeps, so that progress
 * shows even while a worker is away.
 */
import { ApplicationFailure, type Client } from '@temporalio/client';
import {
  decodeFromPayloadsAtIndex,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { HeartbeatDetails } from '../../activities/heartbeat.ts';
import { rowOf, stepNames } from '../../src/round/steps.ts';
import type { RoundSummary } from '../../workflows/inputs.ts';
import type { DataEngineProgress, GenerationProgress, RoundProgress, StepRecord } from '../../workflows/messages.ts';

export interface ActivityView {
  /** Unique within its workflow. */
  id: string;
  name: string;
  attempt: number;
  /** Stopped by `dataengine pause --now` or `temporal activity pause`. */
  paused: boolean;
  details?: HeartbeatDetails;
  lastFailure?: string;
}

export interface GenerationView extends GenerationProgress {
  workflowId: string;
  step: 'generate' | 'verify' | 'judge';
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
}

type Description = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>;

/** @throws WorkflowNotFoundError when there is no such run */
export async function readRunView(client: Client, workflowId: string): Promise<RunView> {
  const description = await client.workflow.getHandle(workflowId).describe();
  const view: RunView = {
    workflowId,
    status: description.status.name,
    progress: await query<DataEngineProgress>(client, workflowId),
    rounds: (await query<RoundSummary[]>(client, workflowId, 'rounds')) ?? [],
    steps: [],
    activities: await activitiesOf(client, description),
  };
  const [child] = childrenOf(description);
  // A round that has ended is shown until the next one starts.
  const roundWorkflowId = child ?? view.progress?.roundWorkflowId;
  const round = roundWorkflowId === undefined ? undefined : await query<RoundProgress>(client, roundWorkflowId);
  Object.assign(view, round);
  if (child !== undefined) await addChild(client, child, view);
  return view;
}

async function addChild(client: Client, workflowId: string, view: RunView): Promise<void> {
  const description = await client.workflow.getHandle(workflowId).describe();
  view.activities.push(...(await activitiesOf(client, description)));
  for (const grandchild of childrenOf(description)) {
    const progress = await query<GenerationProgress>(client, grandchild);
    view.generation = progress && { ...progress, workflowId: grandchild, step: stepOfChild(grandchild) };
  }
}

function stepOfChild(workflowId: string): GenerationView['step'] {
  if (workflowId.endsWith('/verification')) return 'verify';
  return workflowId.endsWith('/judging') ? 'judge' : 'generate';
}

/** Only a worker can answer; undefined without one. An answer that can't be decrypted is an error. */
function query<R>(client: Client, workflowId: string, name = 'progress'): Promise<R | undefined> {
  return client.workflow
    .getHandle(workflowId)
    .query<R>(name)
    .catch((error: unknown) => {
      if (error instanceof ApplicationFailure) throw error;
      return undefined;
    });
}

function childrenOf({ raw }: Description): string[] {
  return (raw.pendingChildren ?? []).flatMap(({ workflowId }) => (workflowId ? [workflowId] : []));
}

function activitiesOf(client: Client, { raw }: Description): Promise<ActivityView[]> {
  const { loadedDataConverter: converter } = client.options;
  const pending = (raw.pendingActivities ?? []).map(
    async ({ activityId, activityType, attempt, heartbeatDetails, lastFailure, paused }) => {
      const payloads = heartbeatDetails?.payloads;
      const failure = await decodeOptionalFailureToOptionalError(converter, lastFailure);
      return {
        id: activityId ?? '',
        name: stepOfActivity(activityType?.name ?? ''),
        attempt: attempt ?? 1,
        paused: paused ?? false,
        details: payloads?.length
          ? await decodeFromPayloadsAtIndex<HeartbeatDetails>(converter, 0, payloads)
          : undefined,
        lastFailure: failure?.message.split('\n', 1)[0],
      };
    },
  );
  return Promise.all(pending);
}

/** The step that an activity or a shard of it does, by its name in the table of steps; of another activity its own name. */
function stepOfActivity(activity: string): string {
  const whole = activity.replace(/Shard$/, '');
  return stepNames.find((name) => (rowOf(name).activity ?? name) === whole) ?? activity;
}
