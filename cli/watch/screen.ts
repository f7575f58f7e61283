/**
 * A run as a screen of a terminal: rounds, steps, what runs now. Pure functions of the view.
 */
import pc from 'picocolors';
import { formatSeconds } from '../../src/report/tables.ts';
import type { StepRecord, WaitingStep } from '../../workflows/messages.ts';
import { describeNumbers } from '../progress-display.ts';
import { formatRounds } from '../rounds-table.ts';
import { describeUnattended } from './activity-words.ts';
import type { ActivityView, RunView } from './run-view.ts';

const barWidth = 30;
const rowsShown = 8;

const marks: Record<StepRecord['state'], string> = {
  done: '✓',
  running: '▸',
  waiting: '?',
  paused: '‖',
  failed: '✗',
  skipped: '–',
  canceled: '✗',
};

/** The lines of the screen. */
export function renderRun(view: RunView, options: { color: boolean }): string {
  const color = pc.createColors(options.color);
  const { workflowId, status, progress, rounds, steps, activities, generation, unattended } = view;
  const lines: string[] = [];
  const step = progress?.step ?? steps.at(-1)?.name ?? '';
  const where = progress?.rounds === undefined ? '' : `  round ${progress.round} of ${progress.rounds}, ${step}`;
  lines.push(`${color.bold(workflowId)}  ${status.toLowerCase()}${where}`);
  if (progress?.directory !== undefined) lines.push(color.dim(progress.directory));
  for (const workers of unattended) lines.push(color.yellow(describeUnattended(workers)));
  if (progress === undefined) lines.push(color.yellow('No worker answers; what the server knows is shown.'));
  if (rounds.length > 0) lines.push(formatRounds(rounds.slice(-rowsShown).map(withoutTypes), options));

  for (const { name, state, seconds, note } of steps) {
    const time = seconds === undefined ? '' : formatSeconds(seconds);
    lines.push(`  ${marks[state]} ${name.padEnd(10)} ${time.padStart(12)}  ${note ?? ''}`.trimEnd());
  }
  if (generation !== undefined) {
    const { answered, requests, spent, reserved, limit, currency, state, retry } = generation;
    lines.push(`  ${bar(answered, requests)} ${answered}/${requests} answers, ${state}`);
    if (currency !== undefined) {
      const most = limit === undefined ? '' : ` of ${limit.toFixed(2)}`;
      lines.push(`  spent ${spent.toFixed(2)}${most} ${currency}, ${reserved.toFixed(2)} reserved`);
    }
    if (retry !== undefined) lines.push(color.yellow(`  ${retriedAfter(retry)}`));
  }
  for (const activity of generation === undefined ? activities : []) lines.push(...renderActivity(activity, color));
  if (progress?.paused !== undefined) {
    const { reason } = progress.paused;
    lines.push(color.yellow(`Paused${reason === undefined ? '' : ` (${reason})`}: dataengine resume ${workflowId}`));
  }
  if (progress?.waiting !== undefined) {
    const { step, problem } = progress.waiting;
    const answers = `  dataengine ${waysToAnswer(progress.waiting)} ${workflowId}`;
    lines.push(color.red(`The step ${step} failed: ${problem}`), answers);
  }
  return lines.join('\n');
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

function renderActivity(activity: ActivityView, color: ReturnType<typeof pc.createColors>): string[] {
  const { name, attempt, details = { round: 0 }, lastFailure, paused } = activity;
  const { step, steps } = details;
  const progress = steps === undefined ? '' : `${bar(step ?? 0, steps)} ${step ?? 0}/${steps} `;
  const tries = attempt > 1 ? ` (attempt ${attempt})` : '';
  return [
    `  ${progress}${name}${tries}${paused ? ', stopped' : ''} ${describeNumbers(details)}`.trimEnd(),
    ...(lastFailure === undefined ? [] : [color.yellow(`  ${retriedAfter(activity)}`)]),
  ];
}

function bar(done: number, all: number): string {
  const filled = all > 0 ? Math.round((Math.min(done, all) / all) * barWidth) : 0;
  return '█'.repeat(filled) + '░'.repeat(barWidth - filled);
}

// The table by type is for the end: a screen has few lines.
function withoutTypes<R extends { errorByType?: unknown }>(row: R): R {
  return { ...row, errorByType: undefined };
}
