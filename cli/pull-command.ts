import type { Command } from 'commander';
import { createProgressDisplay } from './progress-display.ts';

/** Adds `dataengine pull`. */
export function addPullCommand(program: Command, signal: AbortSignal): void {
  program
    .command('pull')
    .argument('<uri>', 's3://bucket/prefix/runs/<run>, as `dataengine watch` shows it')
    .description('fetch a run from a store to this disk')
    .option('--to <folder>', 'where runs are here', 'runs')
    .option('--cache <folder>', 'where large files are kept for later', '.cache')
    .option('--weights', 'model files too', false)
    .addHelpText('after', '\nExample:\n  dataengine pull s3://my-bucket/dataengine/runs/nightly --weights')
    .action(async (uri: string, { to, cache, weights }: { to: string; cache: string; weights: boolean }) => {
      const { pullRun } = await import('../src/core/remote/stored-run.ts');
      const display = createProgressDisplay();
      const onTransfer = ({ file, bytes, size }: { file: string; bytes: number; size: number }) =>
        display.show(file, { step: bytes, steps: size });
      try {
        const places = { runsDirectory: to, cacheDirectory: cache };
        const folder = await pullRun(uri, { weights, signal, onTransfer }, places);
        display.stop();
        process.stdout.write(`${folder}\n`);
      } finally {
        display.stop();
      }
    });
}
