/**
 * When each part of a step that GPU workers do in parts was scheduled, begun and done, and by which worker.
 */
import type { WorkflowHandle } from '@temporalio/client';

export interface PartTimes {
  /** Its identity: `<pid>@<host>`. */
  worker: string;
  /** Milliseconds since 1970. */
  scheduled: number;
  started: number;
  done: number;
}

/**
 * From a round's history, in the order in which they were done; of a part that was tried again, the last attempt.
 *
 * @param activity such as `evaluateShard`
 */
export function partTimes(
  { events }: Awaited<ReturnType<WorkflowHandle['fetchHistory']>>,
  activity: string,
): PartTimes[] {
  const scheduled = new Map<string, number>();
  const started = new Map<string, { at: number; worker: string; scheduledId: string }>();
  const times: PartTimes[] = [];
  for (const event of events ?? []) {
    const at = Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6;
    const id = String(event.eventId);
    if (event.activityTaskScheduledEventAttributes?.activityType?.name === activity) scheduled.set(id, at);
    const start = event.activityTaskStartedEventAttributes;
    if (start) started.set(id, { at, worker: start.identity ?? '', scheduledId: String(start.scheduledEventId) });
    const end = event.activityTaskCompletedEventAttributes;
    const begun = started.get(String(end?.startedEventId));
    const scheduledAt = begun && scheduled.get(begun.scheduledId);
    if (begun === undefined || scheduledAt === undefined) continue;
    times.push({ worker: begun.worker, scheduled: scheduledAt, started: begun.at, done: at });
  }
  return times;
}
