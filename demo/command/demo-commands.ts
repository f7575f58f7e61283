/**
 * The demo's commands: run the whole loop on rendered scenes, and pretrain the model that it starts from.
 */
import type { Command } from 'commander';
import { interruptible } from '../../cli/failures.ts';
import { integer } from '../../cli/options.ts';
import { createProgressDisplay } from '../../cli/progress-display.ts';
import { say, tell } from '../../cli/say.ts';

interface DemoCommandOptions {
  quick: boolean;
  seed?: number;
  keep: boolean;
  config?: string;
  yes: boolean;
  folder?: string;
  images: number;
}

/** Adds `dataengine demo`. */
export function addDemoCommand(program: Command, signal: AbortSignal): void {
  program
    .command('demo')
    .description('run the whole loop on small rendered images, with its own Temporal server')
    .option('--quick', 'one round, from a model that is through round 0', false)
    .option('--seed <number>', "instead of the config's seed", integer(0))
    .option('--keep', 'keep the Temporal UI running until Ctrl-C', false)
    .option('--config <file>', 'another config')
    .option('--yes', 'agree to what the teacher of that config will cost, without being asked', false)
    .option('--folder <folder>', 'instead: render images and mixed questions into a new folder, to try `init` with')
    .option('--images <number>', 'images of that folder', integer(20), 300)
    .addHelpText('after', '\nExample:\n  npm run demo -- --quick')
    .action(async ({ folder, images, ...options }: DemoCommandOptions) => {
      if (folder !== undefined) {
        const { writeOwnFolder } = await import('../scenes/write-own-folder.ts');
        const questions = await writeOwnFolder({ folder, images, seed: options.seed ?? 1, signal });
        tell(`${folder}: ${images} images, ${questions} questions`);
        return;
      }
      const { runSetup } = await import('../../cli/run-setup.ts');
      if (!(await runSetup())) {
        process.exitCode = 1;
        return;
      }
      const { runDemo } = await import('./demo.ts');
      await interruptible(signal, 'The demo is stopped. The same command resumes it', () =>
        runDemo({ ...options, signal }),
      );
    });
}

/** Adds `dataengine pretrain`. */
export function addPretrainCommand(program: Command, signal: AbortSignal): void {
  program
    .command('pretrain')
    .description("train the demo's stage-1 checkpoint again from scratch: tokenizer, vision, then the whole model")
    .option('--output <directory>', 'model directory to write', 'data/stage1')
    .option('--work <directory>', 'folder of the checkpoints, from which an interrupted run resumes', '.cache/pretrain')
    .addHelpText('after', '\nExample:\n  dataengine pretrain --output /tmp/stage1')
    .action(async ({ output, work }: { output: string; work: string }) => {
      const [{ makeStage1 }, { STAGE1 }, { scenesDomain }] = await Promise.all([
        import('../pretrain/stage1.ts'),
        import('../pretrain/stage1-settings.ts'),
        import('../pretrain/scenes-domain.ts'),
      ]);
      const display = createProgressDisplay();
      try {
        const { loss } = await makeStage1(scenesDomain, output, STAGE1, work, {
          progress: (progress) => display.show('pretrain', progress),
          checkpoint: () => {},
          requireFence: () => undefined,
          note: say,
          signal,
        });
        display.stop();
        tell(`${output}: loss ${loss.toFixed(3)}`);
      } finally {
        display.stop();
      }
    });
}
