/**
 * Commands on runs in a store or a folder: download one, report on all.
 */
import type { Command } from 'commander';
import { createProgressDisplay } from './progress-display.ts';
import { tell } from './say.ts';

/** Adds `dataengine pull`. */
export function addPullCommand(program: Command, signal: AbortSignal): void {
  program
    .command('pull')
    .argument('<uri>', 's3://bucket/prefix/runs/<run>, as `dataengine watch` shows it')
    .description('download a run from a store')
    .option('--to <folder>', 'folder of the runs on this machine', 'runs')
    .option('--cache <folder>', 'cache for large files', '.cache')
    .option('--weights', 'also model files', false)
    .addHelpText('after', '\nExample:\n  dataengine pull s3://my-bucket/dataengine/runs/nightly --weights')
    .action(async (uri: string, { to, cache, weights }: { to: string; cache: string; weights: boolean }) => {
      const { pullRun } = await import('../src/core/remote/stored-run.ts');
      const { storeRules } = await import('../src/round/store-rules.ts');
      const display = createProgressDisplay();
      const onTransfer = ({ file, bytes, size }: { file: string; bytes: number; size: number }) =>
        display.show(file, { step: bytes, steps: size });
      try {
        const places = { runsDirectory: to, cacheDirectory: cache };
        const folder = await pullRun(uri, { rules: storeRules, weights, signal, onTransfer }, places);
        display.stop();
        tell(folder);
      } finally {
        display.stop();
      }
    });
}

/** Adds `dataengine report-runs`. */
export function addReportRunsCommand(program: Command): void {
  program
    .command('report-runs')
    .argument('[folder]', 'folder of the runs', 'runs')
    .description('write report.html, which compares all runs of a folder')
    .option('--json', 'one JSON value', false)
    .addHelpText('after', '\nExample:\n  dataengine report-runs runs')
    .action(async (folder: string, { json }: { json: boolean }) => {
      const { reportRuns } = await import('../src/round/report/report-runs.ts');
      const { extensions } = await import('../workers/extensions.ts');
      const outcome = await reportRuns(folder, extensions);
      if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
      else tell(`${outcome.file}: ${outcome.runs} runs${describeUnreadable(outcome.unreadable)}`);
    });
}

function describeUnreadable(unreadable: readonly { run: string; problem: string }[]): string {
  return unreadable.map(({ run, problem }) => `\n  not readable: ${run}: ${problem}`).join('');
}
