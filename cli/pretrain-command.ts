import type { Command } from 'commander';
import { createProgressDisplay } from './progress-display.ts';

/** Adds `dataengine pretrain`. */
export function addPretrainCommand(program: Command, signal: AbortSignal): void {
  program
    .command('pretrain')
    .description("make the demo's stage-1 checkpoint again, from nothing: tokenizer, vision, then the whole model")
    .option('--output <directory>', 'model directory to write', 'data/stage1')
    .option('--work <directory>', 'where checkpoints lie; an interrupted run goes on from them', '.cache/pretrain')
    .addHelpText('after', '\nExample:\n  dataengine pretrain --output /tmp/stage1')
    .action(async ({ output, work }: { output: string; work: string }) => {
      const [{ makeStage1 }, { STAGE1 }] = await Promise.all([
        import('../demo/pretrain/stage1.ts'),
        import('../demo/pretrain/stage1-settings.ts'),
      ]);
      const display = createProgressDisplay();
      try {
        const { loss } = await makeStage1(output, STAGE1, work, {
          progress: (progress) => display.show('pretrain', progress),
          checkpoint: () => {},
          note: (message) => process.stderr.write(`${message}\n`),
          signal,
        });
        display.stop();
        process.stdout.write(`${output}: loss ${loss.toFixed(3)}\n`);
      } finally {
        display.stop();
      }
    });
}
