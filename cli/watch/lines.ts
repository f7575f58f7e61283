/**
 * A run as plain lines: one when something has happened, and the progress of what is under way.
 */
import { formatSeconds } from '../../src/report/tables.ts';
import type { ProgressDisplay } from '../progress-display.ts';
import type { ActivityView, RunView } from './run-view.ts';
import { waysToAnswer } from './screen.ts';

/** Shows each view of a run; undefined: the server did not answer. */
export function createLineRenderer(display: ProgressDisplay): (view: RunView | undefined) => void {
  const logged = new Set<string>();
  const logOnce = (key: string, line: string) => {
    if (logged.has(key)) return;
    logged.add(key);
    display.log(line);
  };

  function logSteps({ progress, round, steps }: RunView): void {
    for (const { name, state, seconds = 0, note } of steps) {
      if (state === 'done')
        logOnce(
          `${round} ${name} done`,
          `round ${round} ${name.padEnd(9)} ${formatSeconds(seconds).padStart(12)}  ${note ?? ''}`,
        );
      if (state === 'waiting')
        logOnce(
          `${round} ${name} waits`,
          name === 'discover'
            ? `  round ${round} waits for the approval of its question types: \`dataengine approve-types ${progress?.roundWorkflowId}\``
            : `  round ${round} waits for a decision: \`dataengine approve ${progress?.roundWorkflowId}\`, with --reject to set it aside`,
        );
    }
  }

  function logStanding({ workflowId, progress }: RunView): void {
    if (progress === undefined) return;
    const { paused, waiting } = progress;
    if (paused !== undefined) {
      const reason = paused.reason === undefined ? '' : `: ${paused.reason}`;
      logOnce('paused', `  paused${reason}; \`dataengine resume ${workflowId}\` resumes it`);
    } else if (logged.delete('paused')) display.log('  resumed');
    if (waiting !== undefined) {
      const { step, problem } = waiting;
      const answers = `\`dataengine ${waysToAnswer(waiting)} ${workflowId}\``;
      logOnce(`${waiting.round} ${step} failed`, `  the step ${step} failed and waits for ${answers}: ${problem}`);
    } else for (const key of logged) if (key.endsWith(' failed')) logged.delete(key);
  }

  function showActivities(activities: ActivityView[]): void {
    for (const { id, name, attempt, lastFailure } of activities) {
      if (lastFailure !== undefined) logOnce(`${name} ${id} ${attempt}`, `  ${name} is retried after: ${lastFailure}`);
    }
    const running = activities.filter(({ details }) => details !== undefined);
    for (const { name, attempt, details } of running.length > 0 ? running : activities.slice(0, 1)) {
      const round = details === undefined ? '' : `round ${details.round} `;
      display.show(`${round}${name}${attempt > 1 ? ` (attempt ${attempt})` : ''}`, details ?? {});
    }
  }

  /** As a whole: its chunks are many, and end soon. */
  function showGeneration({ generation }: RunView): void {
    if (generation === undefined) return;
    const { workflowId, step, round, state, answered, requests, limit, currency } = generation;
    if (state === 'waiting for a top-up') {
      logOnce(
        `${workflowId} ${limit}`,
        `  the budget of ${limit} ${currency} is used up: \`dataengine top-up ${workflowId} AMOUNT\` or \`dataengine finish-early ${workflowId}\``,
      );
    }
    display.show(`round ${round} ${step}`, requests > 0 ? { step: answered, steps: requests } : {});
  }

  return (view) => {
    if (view === undefined) return logOnce('silence', 'The Temporal server does not answer; waiting for it.');
    logSteps(view);
    logStanding(view);
    showActivities(view.activities);
    showGeneration(view);
  };
}
