/**
 * `temporal workflow reset` of a run that is over, of its rounds and generations, to each of their tasks.
 */
import { randomUUID } from 'node:crypto';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { describeFailure } from '../../cli/failures.ts';
import { connectClient } from '../../cli/temporal-client.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import type { Stack } from './stack.ts';

export interface Resets {
  tasks: number;
  /** Ended with the same result; or refused in words, since a round is not of its run's last execution. */
  right: number;
  wrong: string[];
}

/** A round whose run has ended, or was reset, owns the run no more. */
const refusal = /does not run any more|was taken over/;

/**
 * Resets each workflow of a run to each of its tasks, one after the other, and awaits its end.
 *
 * @param most of each workflow's tasks, evenly chosen; default: all
 */
export async function resetAll(
  { address, workflowId }: Stack,
  result: DataEngineResult,
  { most = Number.POSITIVE_INFINITY, onReset }: { most?: number; onReset?: (what: string) => void } = {},
): Promise<Resets> {
  const client = await connectClient(address);
  try {
    const rounds = result.rounds.map(({ round }) => `${workflowId}/round-${round}`);
    const paths = [...rounds.flatMap((round) => [`${round}/generation`, round]), workflowId];
    const all = (await Promise.all(paths.map((path) => tasksOf(client, path)))).flatMap((one) => one ?? []);
    const resets: Resets = { tasks: 0, right: 0, wrong: [] };
    for (const { id, runId, wanted, tasks } of all) {
      for (const task of evenly(tasks, most)) {
        const found = await resetTo(client, { id, runId, task });
        const isRight = found === wanted || refusal.test(found);
        resets.tasks += 1;
        if (isRight) resets.right += 1;
        else resets.wrong.push(`${id} to ${task}: ${found}`);
        onReset?.(`${id} to task ${task}: ${found === wanted ? 'the same' : found.slice(0, 200)}`);
      }
    }
    return resets;
  } finally {
    await client.connection.close();
  }
}

/** The tasks that a workflow has completed, by the ids of the events; undefined where there is no such workflow. */
async function tasksOf(client: Client, id: string) {
  try {
    const { runId } = await client.workflow.getHandle(id).describe();
    const handle = client.workflow.getHandle(id, runId);
    const { events } = await handle.fetchHistory();
    const tasks = (events ?? []).flatMap(({ eventId, workflowTaskCompletedEventAttributes: task }) =>
      task ? [Number(eventId)] : [],
    );
    return [{ id, runId, tasks, wanted: withoutTimes(await handle.result()) }];
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

async function resetTo(
  client: Client,
  { id, runId, task }: { id: string; runId: string; task: number },
): Promise<string> {
  const answer = await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId: id, runId },
    reason: 'chaos',
    requestId: randomUUID(),
    workflowTaskFinishEventId: task as never,
  });
  return client.workflow
    .getHandle(id, answer.runId)
    .result()
    .then(withoutTimes, (error: unknown) => describeFailure(error).message);
}

/** What was done before takes no time again. */
function withoutTimes(result: unknown): string {
  return JSON.stringify(result, (key, value) => (key === 'seconds' || key === 'reused' ? undefined : value));
}

function evenly(items: readonly number[], most: number): number[] {
  const count = Math.min(most, items.length);
  return Array.from({ length: count }, (_, index) => items[Math.floor((index * items.length) / count)] as number);
}
