/**
 * `dataengine schedule`: runs of the loop on a schedule, such as every night. Each command does what `temporal schedule`
 * would.
 */
import { resolve } from 'node:path';
import type { ScheduleDescription, ScheduleOptions, ScheduleUpdateOptions } from '@temporalio/client';
import { type Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../src/config/load-config.ts';
import { addConfigOptions, type ConfigOptions, integer } from './options.ts';
import { pruneSchedule } from './prune-command.ts';
import { tell } from './say.ts';
import { withClient } from './temporal-client.ts';

interface ScheduleSettings extends ConfigOptions {
  more: number;
  cron: string;
  timeZone?: string;
  catchupWindow: string;
}

/** Adds `dataengine schedule`. */
export function addScheduleCommands(program: Command): void {
  const schedule = program.command('schedule').description('run the loop on a schedule, such as every night');
  for (const name of ['create', 'update'] as const) {
    const command = schedule
      .command(`${name} <schedule-id>`)
      .description(name === 'create' ? 'create a schedule' : 'replace the settings of a schedule');
    addConfigOptions(command, {
      config: 'YAML config, as the CPU workers see it',
      run: 'the run that each scheduled time continues (default: the schedule’s id)',
    })
      .option('--more <number>', 'rounds each time', integer(1), 1)
      .option('--cron <line>', 'when, in five fields', '0 2 * * *')
      .option('--time-zone <name>', 'of the cron line, such as Europe/Berlin (default: UTC)')
      .option('--catchup-window <duration>', 'how late a run may still start, after an outage', '1 hour')
      .addHelpText(
        'after',
        `\nExample:\n  dataengine schedule ${name} nightly --config configs/demo.yaml --cron "0 2 * * *"`,
      )
      .action(async (id: string, settings: ScheduleSettings) => {
        const options = await scheduleOptions(id, settings);
        await withClient(async ({ schedule }) => {
          if (name === 'create') await schedule.create(options);
          else await schedule.getHandle(id).update((previous): ScheduleUpdateOptions => ({ ...previous, ...options }));
          tell(describe(await schedule.getHandle(id).describe()));
        });
      });
  }
  schedule
    .command('prune <schedule-id>')
    .description('create a schedule that removes what a run does not keep (`dataengine prune`)')
    .requiredOption('--config <file>', 'YAML config, as the CPU workers see it')
    .option('--run <name>', "the run (default: the config's)")
    .option('--cron <line>', 'when, in five fields', '0 12 * * *')
    .option('--time-zone <name>', 'of the cron line, such as Europe/Berlin (default: UTC)')
    .addHelpText('after', '\nExample:\n  dataengine schedule prune pruning --config configs/demo.yaml --run nightly')
    .action(async (id: string, settings: { config: string; run?: string; cron: string; timeZone?: string }) => {
      const { temporal } = await loadConfig(settings.config, { run: settings.run });
      await withClient(async ({ schedule }) => {
        await schedule.create(pruneSchedule(id, { ...settings, queue: temporal.taskQueues.cpu }));
        tell(describe(await schedule.getHandle(id).describe()));
      });
    });
  schedule
    .command('describe <schedule-id>')
    .description('print when a schedule runs, what it has started and whether it is paused')
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nExample:\n  dataengine schedule describe nightly')
    .action((id: string, { json }: { json: boolean }) =>
      withClient(async ({ schedule }) => {
        const description = await schedule.getHandle(id).describe();
        if (json) process.stdout.write(`${JSON.stringify(facts(description))}\n`);
        else tell(describe(description));
      }),
    );
  schedule
    .command('trigger <schedule-id>')
    .description('run a schedule now, unless it is already running')
    .addHelpText('after', '\nExample:\n  dataengine schedule trigger nightly')
    .action((id: string) =>
      withClient(async ({ schedule }) => {
        // Two at a time would write to one run's directory, which the SDK's default lets them.
        await schedule.getHandle(id).trigger('SKIP');
        tell(`${id}: triggered`);
      }),
    );
  schedule
    .command('backfill <schedule-id>')
    .description('run what a schedule has missed, one time after another')
    .requiredOption('--from <time>', 'such as 2026-03-01T00:00:00Z', time)
    .requiredOption('--to <time>', 'such as 2026-03-04T00:00:00Z', time)
    .addHelpText(
      'after',
      '\nExample:\n  dataengine schedule backfill nightly --from 2026-03-01T00:00:00Z --to 2026-03-04T00:00:00Z',
    )
    .action((id: string, { from, to }: { from: Date; to: Date }) =>
      withClient(async ({ schedule }) => {
        // Each builds on the one before, so they run one after another.
        await schedule.getHandle(id).backfill({ start: from, end: to, overlap: 'BUFFER_ALL' });
        tell(`${id}: the times from ${from.toISOString()} to ${to.toISOString()} are run`);
      }),
    );
  schedule
    .command('pause <schedule-id>')
    .description('pause a schedule')
    .option('--reason <text>', 'kept with the schedule')
    .addHelpText('after', '\nExample:\n  dataengine schedule pause nightly --reason "new GPUs"')
    .action((id: string, { reason }: { reason?: string }) =>
      withClient(async ({ schedule }) => {
        await schedule.getHandle(id).pause(reason);
        tell(`${id}: paused`);
      }),
    );
  schedule
    .command('resume <schedule-id>')
    .description('resume a schedule that was paused, by a person or after a failure')
    .addHelpText('after', '\nExample:\n  dataengine schedule resume nightly')
    .action((id: string) =>
      withClient(async ({ schedule }) => {
        await schedule.getHandle(id).unpause();
        tell(`${id}: resumed`);
      }),
    );
  schedule
    .command('delete <schedule-id>')
    .description('delete a schedule; a run under way is finished')
    .addHelpText('after', '\nExample:\n  dataengine schedule delete nightly')
    .action((id: string) =>
      withClient(async ({ schedule }) => {
        await schedule.getHandle(id).delete();
        tell(`${id}: deleted`);
      }),
    );
}

/** The schedule of these settings. The run's name is fixed, for Temporal adds the time to each workflow's id. */
export async function scheduleOptions(scheduleId: string, settings: ScheduleSettings): Promise<ScheduleOptions> {
  const { config: file, run = scheduleId, more, cron, timeZone, catchupWindow, dataRoot, seed } = settings;
  const config = await loadConfig(file, { dataRoot, run, seed });
  return {
    scheduleId,
    spec: { cronExpressions: [cron], timezone: timeZone },
    action: {
      type: 'startWorkflow',
      workflowType: 'dataEngine',
      workflowId: scheduleId,
      taskQueue: config.temporal.taskQueues.cpu,
      args: [{ config: resolve(file), run, more, dataRoot, seed }],
      staticSummary: `${more} more rounds of ${run}`,
      memo: { config: resolve(file), run },
    },
    policies: { overlap: 'SKIP', catchupWindow: catchupWindow as `${number} hour`, pauseOnFailure: true },
  };
}

function facts({ scheduleId, spec, policies, state, info, action }: ScheduleDescription) {
  return {
    schedule: scheduleId,
    workflowType: action.workflowType,
    input: action.args?.[0],
    timeZone: spec.timezone,
    overlap: policies.overlap,
    catchupWindowSeconds: Number(policies.catchupWindow) / 1000,
    pauseOnFailure: policies.pauseOnFailure,
    paused: state.paused,
    note: state.note,
    running: info.runningActions.map(({ workflow }) => workflow.workflowId),
    recent: info.recentActions.map(({ scheduledAt, action: { workflow } }) => ({
      at: scheduledAt,
      workflow: workflow.workflowId,
    })),
    next: info.nextActionTimes.slice(0, 3),
  };
}

function describe(description: ScheduleDescription): string {
  const { schedule, input, overlap, catchupWindowSeconds, pauseOnFailure, paused, note, running, recent, next } =
    facts(description);
  return [
    `Schedule  ${schedule}${paused ? `, paused${note ? ` (${note})` : ''}` : ''}`,
    `Input     ${JSON.stringify(input)}`,
    `Policies  overlap ${overlap}, catch-up window ${catchupWindowSeconds} s${pauseOnFailure ? ', pauses after a failure' : ''}`,
    ...(running.length > 0 ? [`Running   ${running.join(', ')}`] : []),
    ...recent.map(({ at, workflow }) => `Started   ${at.toISOString()}  ${workflow}`),
    ...next.map((at) => `Next      ${at.toISOString()}`),
  ].join('\n');
}

function time(text: string): Date {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw new InvalidArgumentError('Give a time such as 2026-03-01T00:00:00Z.');
  return at;
}
