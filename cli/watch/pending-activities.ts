/**
 * The activities of a workflow that have not ended, as the server knows them.
 */
import type { Client } from '@temporalio/client';
import {
  decodeFromPayloadsAtIndex,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import { optionalTsToDate } from '@temporalio/common/lib/time.js';
import type { HeartbeatDetails } from '../../activities/heartbeat.ts';
import { isPolled } from '../../activities/is-polled.ts';

export type Description = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['describe']>>;

/** Of `PendingActivityState` in Temporal's API. */
const scheduled = 1;

export interface PendingActivity {
  /** Unique within its workflow. */
  id: string;
  /** Its name in Temporal. */
  type: string;
  attempt: number;
  paused: boolean;
  details?: HeartbeatDetails | undefined;
  /** The first line of it. */
  lastFailure?: string | undefined;
  nextTryAt?: string | undefined;
  /** The queue that it waits on, where nobody polls that. */
  unattendedQueue?: string | undefined;
}

/** A worker that has just started is given this long. */
const patienceMilliseconds = 3000;

/** The activities of a described workflow. */
export function pendingActivities(client: Client, { raw }: Description): Promise<PendingActivity[]> {
  const { loadedDataConverter: converter } = client.options;
  // A hundred chunks may wait on one queue.
  const asked = new Map<string, Promise<boolean>>();
  const isQueuePolled = (queue: string) => {
    const answer = asked.get(queue) ?? isPolled(client, queue, 'activity');
    asked.set(queue, answer);
    return answer;
  };
  return Promise.all(
    (raw.pendingActivities ?? []).map(async (activity) => {
      const payloads = activity.heartbeatDetails?.payloads;
      const failure = await decodeOptionalFailureToOptionalError(converter, activity.lastFailure);
      const waits = activity.state === scheduled && !activity.paused;
      const since = optionalTsToDate(activity.nextAttemptScheduleTime ?? activity.scheduledTime)?.getTime() ?? 0;
      const queue = activity.activityOptions?.taskQueue?.name ?? '';
      const isLate = waits && queue !== '' && Date.now() - since > patienceMilliseconds;
      const isUnattended = isLate && !(await isQueuePolled(queue));
      return {
        id: activity.activityId ?? '',
        type: activity.activityType?.name ?? '',
        attempt: activity.attempt ?? 1,
        paused: activity.paused ?? false,
        details: payloads?.length
          ? await decodeFromPayloadsAtIndex<HeartbeatDetails>(converter, 0, payloads)
          : undefined,
        lastFailure: failure?.message.split('\n', 1)[0],
        nextTryAt: waits ? optionalTsToDate(activity.nextAttemptScheduleTime)?.toISOString() : undefined,
        unattendedQueue: isUnattended ? queue : undefined,
      };
    }),
  );
}
