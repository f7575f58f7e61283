/**
 * A run as plain lines: one when something has happened, and the progress of what is under way.
 */
import { wrapped } from '../../scripts/setup/terminal-text.mjs';
import { formatSeconds } from '../../src/core/durations.ts';
import type { StepRecord } from '../../workflows/messages.ts';
import type { ProgressDisplay } from '../progress-display.ts';
import { describeUnattended } from './activity-words.ts';
import type { RunView } from './run-view.ts';
import { longestStepName, longestTime, retriedAfter, waysToAnswer } from './screen.ts';

/** Where the note of a step's closing line begins, when the round has one digit. */
const noteColumn = 'round 1 '.length + longestStepName + 1 + longestTime + 2;

/**
 * Shows each view of a run; undefined: the server did not answer.
 *
 * @param columns of the terminal, within which closing lines are wrapped; default: they are not
 */
export function createLineRenderer(
  display: ProgressDisplay,
  columns = Number.POSITIVE_INFINITY,
): (view: RunView | undefined) => void {
  const logged = new Set<string>();
  const logOnce = (key: string, line: string) => {
    if (logged.has(key)) return;
    logged.add(key);
    display.log(line);
  };

  function logDone(round: number | undefined, { name, seconds = 0, note }: StepRecord): void {
    const time = formatSeconds(seconds).padStart(longestTime);
    const line = `round ${round} ${name.padEnd(longestStepName)} ${time}  ${note ?? ''}`.trimEnd();
    logOnce(`${round} ${name} done`, wrapped(line, columns, noteColumn));
  }

  function logSteps({ progress, round, steps }: RunView): void {
    const own = progress?.ownSteps ?? [];
    for (const step of own) if (step.name === 'prepare-data') logDone(step.round, step);
    for (const step of steps) {
      const { name, state } = step;
      if (state === 'done') logDone(round, step);
      if (state === 'waiting')
        logOnce(
          `${round} ${name} waits`,
          name === 'discover'
            ? `  round ${round} waits for the approval of its question types: \`dataengine approve-types ${progress?.roundWorkflowId}\``
            : `  round ${round} waits for a decision: \`dataengine approve ${progress?.roundWorkflowId}\`, with --reject to set it aside`,
        );
    }
    // After the steps of its round.
    for (const step of own) if (step.round === round && step.name !== 'prepare-data') logDone(step.round, step);
  }

  function logStanding({ workflowId, progress }: RunView): void {
    if (progress === undefined) return;
    const { paused, waiting, teacher } = progress;
    if (paused !== undefined) {
      const reason = paused.reason === undefined ? '' : `: ${paused.reason}`;
      logOnce('paused', `  paused${reason}; \`dataengine resume ${workflowId}\` resumes it`);
    } else if (logged.delete('paused')) display.log('  resumed');
    if (teacher !== undefined) logOnce('no teacher', `  the teacher gives no answers: ${teacher}`);
    else if (logged.delete('no teacher')) display.log('  the teacher answers again');
    if (waiting !== undefined) {
      const { step, problem } = waiting;
      const answers = `\`dataengine ${waysToAnswer(waiting)} ${workflowId}\``;
      logOnce(`${waiting.round} ${step} failed`, `  the step ${step} failed and waits for ${answers}: ${problem}`);
    } else for (const key of logged) if (key.endsWith(' failed')) logged.delete(key);
  }

  /** A queue that is polled again may be left again. */
  function logUnattended({ unattended }: RunView): void {
    const prefix = 'no worker of ';
    for (const key of logged)
      if (key.startsWith(prefix) && !unattended.some(({ queue }) => key === prefix + queue)) logged.delete(key);
    for (const workers of unattended) logOnce(prefix + workers.queue, `  ${describeUnattended(workers)}`);
  }

  function showActivities({ activities, round: current }: RunView): void {
    for (const activity of activities) {
      const { id, name, attempt, lastFailure } = activity;
      if (lastFailure !== undefined) logOnce(`${name} ${id} ${attempt}`, `  ${name} is ${retriedAfter(activity)}`);
    }
    const running = activities.filter(({ details }) => details !== undefined);
    for (const { name, attempt, details } of running.length > 0 ? running : activities.slice(0, 1)) {
      const round = details?.round ?? current;
      const where = round === undefined ? '' : `round ${round} `;
      display.show(`${where}${name}${attempt > 1 ? ` (attempt ${attempt})` : ''}`, details ?? {});
    }
  }

  /** As a whole: its chunks are many, and end soon. */
  function showGeneration({ generation }: RunView): void {
    if (generation === undefined) return;
    const { workflowId, step, round, state, answered, requests, limit, currency, retry } = generation;
    if (state === 'waiting for a top-up') {
      logOnce(
        `${workflowId} ${limit}`,
        `  the budget of ${limit} ${currency} is used up: \`dataengine top-up ${workflowId} AMOUNT\` or \`dataengine finish-early ${workflowId}\``,
      );
    }
    if (retry !== undefined) logOnce(`${workflowId} attempt ${retry.attempt}`, `  ${step} is ${retriedAfter(retry)}`);
    display.show(`round ${round} ${step}`, requests > 0 ? { step: answered, steps: requests } : {});
  }

  return (view) => {
    if (view === undefined) return logOnce('silence', 'The Temporal server does not answer; waiting for it.');
    logged.delete('silence');
    logSteps(view);
    logStanding(view);
    logUnattended(view);
    showActivities(view);
    showGeneration(view);
  };
}
