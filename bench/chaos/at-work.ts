/**
 * Which of a run's processes are busy now: killing an idle one would show nothing.
 */
import { dirname, relative } from 'node:path';
import type { Client } from '@temporalio/client';
import { connectClient } from '../../cli/temporal-client.ts';
import { fenceName, runningTrainer } from '../../src/trainer/supervisor/fence.ts';
import { filesIn } from './files-in.ts';
import type { Supervised } from './supervised.ts';

export const victims = ['trainer', 'GPU worker', 'CPU worker', 'teacher', 'Temporal server'] as const;
export type Victim = (typeof victims)[number];

/** A process that can be killed now. */
export interface AtWork {
  victim: Victim;
  pid: number;
  /** What it is doing: an activity with its place in the run, such as `round-0/finetune`, or a step's folder. */
  work: string;
}

// Temporal's own numbers (`PendingActivityState`, `TaskQueueType`).
const started = 2;
const workflowTasks = 1;

export interface Place {
  processes: Record<Exclude<Victim, 'trainer'>, Supervised>;
  address: string;
  workflowId: string;
  /** Of the CPU worker, which runs the workflows. */
  taskQueue: string;
  /** The run's. */
  directory: string;
  teacherUrl: string;
}

/** The processes that run and have something to do. While the server is down, only the trainer is known. */
export async function atWork(place: Place): Promise<AtWork[]> {
  const { processes, address, workflowId } = place;
  const trainer = await trainerAtWork(place.directory);
  const found: AtWork[] = trainer === undefined ? [] : [trainer];
  const client = await connectClient(address).catch(() => undefined);
  if (client === undefined) return found;
  try {
    const activities = await activitiesUnderWay(client, workflowId);
    const names = (wanted: (activity: Activity) => boolean) =>
      [...new Set(activities.filter(wanted).map(({ name }) => name))].join(' ');
    const all = names(() => true);
    if (all !== '') found.push({ victim: 'Temporal server', pid: processes['Temporal server'].pid(), work: all });
    const [gpu, cpu] = [processes['GPU worker'].pid(), processes['CPU worker'].pid()];
    const [onGpu, onCpu] = [names(({ workerPid }) => workerPid === gpu), names(({ workerPid }) => workerPid === cpu)];
    if (onGpu !== '') found.push({ victim: 'GPU worker', pid: gpu, work: onGpu });
    // Whatever another worker does, the worker that runs the workflows receives its end.
    if (onCpu !== '' || (await polls(client, place.taskQueue, cpu)))
      found.push({ victim: 'CPU worker', pid: cpu, work: onCpu || `workflows at ${all || 'rest'}` });
    const asks = names(({ name }) => name.endsWith('askChunk'));
    if (asks !== '' && (await answers(place.teacherUrl)))
      found.push({ victim: 'teacher', pid: processes.teacher.pid(), work: asks });
  } catch {
    // The server stopped in the meantime.
  } finally {
    await client.connection.close();
  }
  return found;
}

/** The trainer that runs, by the fences that trainers create. */
async function trainerAtWork(directory: string): Promise<AtWork | undefined> {
  for (const file of await filesIn(directory, (name) => name === fenceName)) {
    const pid = await runningTrainer(dirname(file));
    if (pid !== undefined) return { victim: 'trainer', pid, work: relative(directory, dirname(file)) };
  }
  return undefined;
}

interface Activity {
  name: string;
  workerPid: number;
}

/** The activities that a worker has started, of a workflow and its children. */
async function activitiesUnderWay(client: Client, workflowId: string): Promise<Activity[]> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const own = (raw.pendingActivities ?? [])
    .filter(({ state }) => state === started)
    .map(({ activityType, lastWorkerIdentity }) => ({
      name: [...workflowId.split('/').slice(1), activityType?.name].join('/'),
      workerPid: Number.parseInt(lastWorkerIdentity ?? '', 10),
    }));
  const children = (raw.pendingChildren ?? []).flatMap(({ workflowId: child }) => (child ? [child] : []));
  return [...own, ...(await Promise.all(children.map((child) => activitiesUnderWay(client, child)))).flat()];
}

/** Whether the process polls the queue for workflow tasks. */
async function polls(client: Client, taskQueue: string, pid: number): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: workflowTasks,
  });
  return (pollers ?? []).some(({ identity }) => Number.parseInt(identity ?? '', 10) === pid);
}

function answers(url: string): Promise<boolean> {
  return fetch(`${url}/models`).then(
    (response) => response.ok,
    () => false,
  );
}
