/**
 * A run as a screen of a terminal: rounds, steps, what runs now. Pure functions of the view.
 */
import pc from 'picocolors';
import { wrapped } from '../../scripts/setup/terminal-text.mjs';
import { formatSeconds } from '../../src/core/durations.ts';
import type { StepRecord, WaitingStep } from '../../workflows/messages.ts';
import { describeNumbers } from '../progress-display.ts';
import { formatRounds } from '../rounds-table.ts';
import { describeUnattended } from './activity-words.ts';
import type { ActivityView, RunView } from './run-view.ts';

const barWidth = 30;
const rowsShown = 8;
export const longestStepName = 'check-serving'.length;
export const longestTime = '12 min 34 s'.length;
/** Where the note of a step begins, behind its mark. */
const noteColumn = '  ✓ '.length + longestStepName + 1 + longestTime + 2;

const marks: Record<StepRecord['state'], string> = {
  done: '✓',
  running: '▸',
  waiting: '?',
  paused: '‖',
  failed: '✗',
  skipped: '–',
  canceled: '✗',
};

/**
 * The lines of the screen.
 *
 * @param options.columns of the terminal, within which all but paths and names are kept
 */
export function renderRun(view: RunView, options: { color: boolean; columns: number }): string {
  const color = pc.createColors(options.color);
  const { workflowId, status, progress, rounds, steps, activities, generation, unattended } = view;
  const lines: string[] = [];
  const step = progress?.step ?? steps.at(-1)?.name ?? '';
  const where =
    progress?.rounds === undefined ? '' : `  round ${progress.round} of ${progress.rounds}${step && `, ${step}`}`;
  const say = (text: string, paint = (plain: string) => plain, indent = 2) =>
    void lines.push(...wrapped(text, options.columns, indent).split('\n').map(paint));
  lines.push(`${color.bold(workflowId)}  ${status.toLowerCase()}${where}`);
  if (progress?.directory !== undefined) lines.push(color.dim(progress.directory));
  for (const workers of unattended) say(describeUnattended(workers), color.yellow);
  if (progress === undefined) say('No worker answers; what the server knows is shown.', color.yellow);
  if (rounds.length > 0) lines.push(formatRounds(rounds.slice(-rowsShown).map(withoutTypes), options));

  for (const { name, state, seconds, note } of stepsShown(view)) {
    const time = seconds === undefined ? '' : formatSeconds(seconds);
    const line = `  ${marks[state]} ${name.padEnd(longestStepName)} ${time.padStart(longestTime)}  ${note ?? ''}`;
    say(line.trimEnd(), undefined, noteColumn);
  }
  if (generation !== undefined) {
    const { answered, requests, spent, reserved, limit, currency, state, retry } = generation;
    say(`  ${bar(answered, requests)} ${answered}/${requests} answers, ${state}`, undefined, 4);
    if (currency !== undefined) {
      const most = limit === undefined ? '' : ` of ${limit.toFixed(2)}`;
      say(`  spent ${spent.toFixed(2)}${most} ${currency}, ${reserved.toFixed(2)} reserved`, undefined, 4);
    }
    if (retry !== undefined) say(`  ${retriedAfter(retry)}`, color.yellow, 4);
  }
  for (const activity of generation === undefined ? activities : []) {
    say(describeActivity(activity), undefined, 4);
    if (activity.lastFailure !== undefined) say(`  ${retriedAfter(activity)}`, color.yellow, 4);
  }
  if (progress?.teacher !== undefined) say(`The teacher gives no answers: ${progress.teacher}`, color.yellow);
  if (progress?.paused !== undefined) {
    const { reason } = progress.paused;
    say(`Paused${reason === undefined ? '' : ` (${reason})`}: dataengine resume ${workflowId}`, color.yellow);
  }
  if (progress?.waiting !== undefined) {
    const { step, problem } = progress.waiting;
    say(`The step ${step} failed: ${problem}`, color.red);
    say(`  dataengine ${waysToAnswer(progress.waiting)} ${workflowId}`);
  }
  return lines.join('\n');
}

/** Those of the round, between those of the run that belong to it. */
function stepsShown({ progress, round, steps }: RunView): StepRecord[] {
  const own = (progress?.ownSteps ?? []).filter((step) => step.round === round);
  const isBefore = ({ name }: StepRecord) => name === 'prepare-data';
  return [...own.filter(isBefore), ...steps, ...own.filter((step) => !isBefore(step))];
}

/** The commands that answer for a failed step: `retry-step|give-up`. */
export function waysToAnswer({ skip }: WaitingStep): string {
  return ['retry-step', ...(skip === undefined ? [] : ['skip-step']), 'give-up'].join('|');
}

/** `retried after: The server does not answer; attempt 3 in 42 s` */
export function retriedAfter({
  attempt,
  lastFailure,
  nextTryAt,
}: Pick<ActivityView, 'attempt' | 'lastFailure' | 'nextTryAt'>): string {
  return `retried after: ${lastFailure}${nextTry(nextTryAt, attempt)}`;
}

/** `; attempt 3 in 42 s`, or nothing while an attempt runs. */
function nextTry(at: string | undefined, attempt: number): string {
  if (at === undefined) return '';
  const seconds = (Date.parse(at) - Date.now()) / 1000;
  return `; attempt ${attempt} ${seconds < 1 ? 'now' : `in ${formatSeconds(seconds)}`}`;
}

function describeActivity({ name, attempt, details = { round: 0 }, paused }: ActivityView): string {
  const { step, steps } = details;
  const progress = steps === undefined ? '' : `${bar(step ?? 0, steps)} ${step ?? 0}/${steps} `;
  const tries = attempt > 1 ? ` (attempt ${attempt})` : '';
  return `  ${progress}${name}${tries}${paused ? ', stopped' : ''} ${describeNumbers(details)}`.trimEnd();
}

function bar(done: number, all: number): string {
  const filled = all > 0 ? Math.round((Math.min(done, all) / all) * barWidth) : 0;
  return '█'.repeat(filled) + '░'.repeat(barWidth - filled);
}

// The table by type is for the end: a screen has few lines.
function withoutTypes<R extends { errorByType?: unknown }>(row: R): R {
  return { ...row, errorByType: undefined };
}
