/** `dataengine prune`: removes of a run what it does not keep, or says what that would be. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { usualTaskQueues } from '../src/config/workflow-schemas.ts';
import { sizeText } from '../src/core/pruned.ts';
import { isRemote } from '../src/core/remote/store-uri.ts';
import type { NamedRun } from '../src/round/named-run.ts';
import type { SeenOwner } from '../src/round/owner/seen-owner.ts';
import { type PruneOutcome, removalKinds } from '../src/round/retention/removals.ts';
import { addRunOptions } from './options.ts';
import { isRunningWorkflow } from './own-run.ts';
import { tell } from './say.ts';
import { textTable } from './text-table.ts';

interface PruneCommand {
  run?: string;
  dataRoot?: string;
  dryRun: boolean;
  json: boolean;
}

/** Adds `dataengine prune`. */
export function addPruneCommand(program: Command, signal: AbortSignal): void {
  addRunOptions(
    program
      .command('prune')
      .argument('<config-or-run>', 'YAML config, folder of a run, or s3://bucket/prefix/runs/<run>')
      .description(
        'remove of a run what retention does not keep: models that are made again when they are needed, checkpoints, temporary files',
      ),
    "run of a config (default: the config's, or its file name)",
  )
    .option('--dry-run', 'only say what would be removed', false)
    .option('--json', 'one JSON value', false)
    .addHelpText('after', '\nExample:\n  dataengine prune runs/nightly --dry-run')
    .action(async (named: string, { json, dryRun, run, dataRoot }: PruneCommand) => {
      const { withNamedRun } = await import('../src/round/named-run.ts');
      const { prune } = await import('../src/round/retention/prune.ts');
      const { extensions } = await import('../workers/extensions.ts');
      const which = await namedRun(named, { run, dataRoot });
      const beside = await seenOwnerOf(which);
      const outcome = await withNamedRun(which, { signal, extensions }, (open, given) =>
        prune(open, { dryRun, retention: given?.retention, beside }),
      );
      if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
      else tell(describePrune(outcome));
    });
}

/** An address or a folder is a run; anything else is a config. */
export async function namedRun(named: string, ofConfig: Omit<NamedRun, 'config' | 'runDirectory'>): Promise<NamedRun> {
  const isRun = isRemote(named) || (await stat(named).catch(() => undefined))?.isDirectory() === true;
  return isRun ? { runDirectory: named } : { ...ofConfig, config: named };
}

async function seenOwnerOf(named: NamedRun): Promise<SeenOwner> {
  const { namedReference } = await import('../src/round/named-run.ts');
  const { openOwnerPlace } = await import('../src/round/owner/owner-place.ts');
  const { seeOwner } = await import('../src/round/owner/seen-owner.ts');
  const place = await openOwnerPlace(await namedReference(named, undefined), { access: undefined });
  return seeOwner(place, isRunningWorkflow);
}

/** What was removed, what stays and why, as lines. */
export function describePrune(outcome: PruneOutcome): string {
  const { run, rounds, dryRun, kept, needed, removed, bytes, owner, interrupted, waiting } = outcome;
  const rows = removed.map((one) => [removalKinds[one.kind], one.files, sizeText(one.bytes)]);
  return [
    `${run}: ${rounds} rounds`,
    ...(owner === undefined ? [] : [`  ${owner} works on it, or can't be asked: what they may need stays`]),
    ...kept.map(({ round, why }) => `  round ${round} keeps its model: ${why}`),
    ...needed.map(({ by, path }) => `  ${path || 'all of it'} stays: ${by} needs it`),
    ...(rows.length === 0 ? [] : [textTable(['what', 'files', 'size'], rows, { textColumns: 1, compact: true })]),
    ...(waiting === undefined
      ? []
      : [`${sizeText(waiting.bytes)} (${waiting.objects} objects) stay until the next prune: ${waiting.why}`]),
    ...(interrupted ? ['The run has another owner since: the next prune removes the rest.'] : []),
    rows.length === 0
      ? 'Nothing to remove.'
      : `${sizeText(bytes)} ${dryRun ? 'would be removed. Without --dry-run they are.' : 'removed.'}`,
  ].join('\n');
}

/** The schedule of `dataEnginePrune` for the run of a config. */
export function pruneSchedule(
  scheduleId: string,
  { config, run, cron, timeZone, queue = usualTaskQueues.cpu }: PruneScheduleSettings,
) {
  return {
    scheduleId,
    spec: { cronExpressions: [cron], timezone: timeZone },
    action: {
      type: 'startWorkflow' as const,
      workflowType: 'dataEnginePrune',
      workflowId: scheduleId,
      taskQueue: queue,
      args: [{ config: resolve(config), run }],
      staticSummary: `Removes what ${run ?? config} does not keep`,
      memo: { config: resolve(config), run: run ?? '' },
    },
    policies: { overlap: 'SKIP' as const, catchupWindow: '1 hour' as const, pauseOnFailure: false },
  };
}

interface PruneScheduleSettings {
  config: string;
  run?: string | undefined;
  cron: string;
  timeZone?: string | undefined;
  queue?: string | undefined;
}
