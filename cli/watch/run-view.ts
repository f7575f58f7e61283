/**
 * What there is to see of a run: read from its queries, and from the heartbeats that the server keeps, so that progress
 * shows even while a worker is away.
 */
import { type Client, defaultPayloadConverter } from '@temporalio/client';
import type { HeartbeatDetails } from '../../activities/heartbeat.ts';
import type {
  DataEngineProgress,
  GenerationProgress,
  RoundProgress,
  RoundSummary,
  StepRecord,
} from '../../workflows/messages.ts';

export interface ActivityView {
  name: string;
  attempt: number;
  /** Stopped by `dataengine pause --now` or `temporal activity pause`. */
  paused: boolean;
  details?: HeartbeatDetails;
  lastFailure?: string;
}

export interface RunView {
  workflowId: string;
  /** Temporal's word, such as RUNNING. */
  status: string;
  progress?: DataEngineProgress;
  /** The finished rounds. */
  rounds: RoundSummary[];
  /** Of the round under way. */
  steps: StepRecord[];
  activities: ActivityView[];
  generation?: GenerationProgress;
}

type Description = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>;

/** @throws WorkflowNotFoundError when there is no such run */
export async function readRunView(client: Client, workflowId: string): Promise<RunView> {
  const description = await client.workflow.getHandle(workflowId).describe();
  const view: RunView = {
    workflowId,
    status: description.status.name,
    progress: await ask<DataEngineProgress>(client, workflowId),
    rounds: (await ask<RoundSummary[]>(client, workflowId, 'rounds')) ?? [],
    steps: [],
    activities: activitiesOf(description),
  };
  for (const child of childrenOf(description)) {
    view.steps = (await ask<RoundProgress>(client, child))?.steps ?? [];
    const round = await client.workflow.getHandle(child).describe();
    view.activities.push(...activitiesOf(round));
    for (const grandchild of childrenOf(round)) view.generation = await ask<GenerationProgress>(client, grandchild);
  }
  return view;
}

/** Only a worker can answer; without one there is nothing to tell. */
function ask<R>(client: Client, workflowId: string, query = 'progress'): Promise<R | undefined> {
  return client.workflow
    .getHandle(workflowId)
    .query<R>(query)
    .catch(() => undefined);
}

function childrenOf({ raw }: Description): string[] {
  return (raw.pendingChildren ?? []).flatMap(({ workflowId }) => (workflowId ? [workflowId] : []));
}

function activitiesOf({ raw }: Description): ActivityView[] {
  return (raw.pendingActivities ?? []).map(({ activityType, attempt, heartbeatDetails, lastFailure, paused }) => {
    const payload = heartbeatDetails?.payloads?.[0];
    return {
      name: activityType?.name ?? '',
      attempt: attempt ?? 1,
      paused: paused ?? false,
      details: payload == null ? undefined : defaultPayloadConverter.fromPayload<HeartbeatDetails>(payload),
      lastFailure: lastFailure?.message?.split('\n', 1)[0],
    };
  });
}
