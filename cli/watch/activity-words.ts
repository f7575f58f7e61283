/**
 * What an activity is called where a person reads it, and which worker it waits for: its name in Temporal is for programs.
 */
import { usualTaskQueues } from '../../src/config/workflow-schemas.ts';
import { type Queue, rowOf, type StepName, stepNames } from '../../src/round/steps.ts';

/** Activities that are no step of the table, or a piece of one. */
const otherActivities: Readonly<Record<string, string>> = {
  prepareRun: 'read the config',
  recordRound: 'record the round',
  notify: 'send the notification',
  recordTopUp: 'record the top-up',
  approveTypes: 'record the approval',
  startGeneration: 'generate',
  finishGeneration: 'generate',
  startVerification: 'verify',
  finishVerification: 'verify',
  startJudging: 'judge',
  finishJudging: 'judge',
  checkTeacher: 'look whether the teacher answers',
  askChunk: 'ask the teacher',
  submitBatch: 'submit a batch',
  checkBatch: 'look for a batch',
  collectBatch: 'collect a batch',
  cancelBatch: 'cancel a batch',
  preparePromptOptimization: 'read the config',
  makePromptSamples: 'make samples',
  revisePrompt: 'revise the prompt',
  acceptPrompt: 'accept the prompt',
};

const teacherActivities = ['checkTeacher', 'askChunk', 'submitBatch', 'checkBatch', 'collectBatch', 'cancelBatch'];
const promptRequests = ['makePromptSamples', 'revisePrompt'];

/** The step that an activity, or a shard of it, does, by its name in the table of steps; else words of its own. */
export function wordsOfActivity(activity: string): string {
  return stepOf(activity) ?? otherActivities[activity] ?? activity;
}

/** A kind of workers, and the queue that they poll. */
export interface Workers {
  kind: Queue | 'teacher';
  queue: string;
}

/** The workers that an activity waits for. */
export function workersOf(activity: string, queue: string): Workers {
  if ([...teacherActivities, ...promptRequests].includes(activity)) return { kind: 'teacher', queue };
  const step = stepOf(activity);
  if (step === undefined) return { kind: 'cpu', queue };
  const row = rowOf(step);
  return { kind: activity.endsWith('Shard') ? (row.shards?.queue ?? row.queue) : row.queue, queue };
}

/** `dataengine worker gpu`, with its queue where that is not the default. */
function commandOfWorkers({ kind, queue }: Workers): string {
  return `dataengine worker ${kind}${queue === usualTaskQueues[kind] ? '' : ` --task-queue ${queue}`}`;
}

/** That nobody works on a queue, and what to type. */
export function describeUnattended(workers: Workers): string {
  return `No worker polls the queue ${workers.queue}. Start one: ${commandOfWorkers(workers)}`;
}

function stepOf(activity: string): StepName | undefined {
  const whole = activity.replace(/Shard$/, '');
  return stepNames.find((name) => (rowOf(name).activity ?? name) === whole);
}
