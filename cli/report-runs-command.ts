import type { Command } from 'commander';

/** Adds `dataengine report-runs`. */
export function addReportRunsCommand(program: Command): void {
  program
    .command('report-runs')
    .argument('[folder]', 'folder of the runs', 'runs')
    .description('write report.html about all runs of a folder, beside each other')
    .option('--json', 'one JSON value instead of words', false)
    .addHelpText('after', '\nExample:\n  dataengine report-runs runs')
    .action(async (folder: string, { json }: { json: boolean }) => {
      const { reportRuns } = await import('../src/round/report-runs.ts');
      const outcome = await reportRuns(folder);
      if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
      else process.stdout.write(`${outcome.file}: ${outcome.runs} runs${leftOut(outcome.unreadable)}\n`);
    });
}

function leftOut(unreadable: readonly { run: string; problem: string }[]): string {
  return unreadable.map(({ run, problem }) => `\n  not readable: ${run}: ${problem}`).join('');
}
