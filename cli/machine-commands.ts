/**
 * Commands about this machine: the demo, the workers, and what is installed.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { integer } from './options.ts';

/** Adds `dataengine demo`. */
export function addDemoCommand(program: Command, signal: AbortSignal): void {
  program
    .command('demo')
    .description('run the whole loop on a small rendered domain, with a Temporal server of its own')
    .option('--quick', 'one small round', false)
    .option('--seed <number>', "instead of the config's seed", integer(0))
    .option('--keep', 'leave the Temporal UI up until Ctrl-C', false)
    .option('--config <file>', 'another config')
    .addHelpText('after', '\nExample:\n  npm run demo -- --quick')
    .action(async (options: { quick: boolean; seed?: number; keep: boolean; config?: string }) => {
      const { runDemo } = await import('./demo/demo.ts');
      await runDemo({ ...options, signal });
    });
}

/** Adds `dataengine worker cpu|gpu`. */
export function addWorkerCommand(program: Command): void {
  program
    .command('worker <kind>')
    .description('run a worker: cpu (workflows and CPU steps) or gpu (one for each GPU)')
    .option('--task-queue <name>', 'default: data-engine or gpu')
    .addHelpText('after', '\nExamples:\n  dataengine worker cpu\n  TEMPORAL_ADDRESS=temporal.example:7233 dataengine worker gpu --task-queue gpu-a100')
    .action(async (kind: string, { taskQueue }: { taskQueue?: string }) => {
      const { runCpuWorker, runGpuWorker } = await import('../workers/run-worker.ts');
      if (kind === 'cpu') return runCpuWorker(taskQueue);
      if (kind === 'gpu') return runGpuWorker(taskQueue);
      throw new InvalidArgumentError(`There is no worker "${kind}": it is cpu or gpu.`);
    });
}

/** Adds `dataengine doctor`. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('print what this machine has: Node, native TensorFlow, GPU, Temporal, free disk')
    .action(async () => {
      const { examineMachine, formatFindings } = await import('./doctor.ts');
      const findings = await examineMachine();
      process.stdout.write(`${formatFindings(findings)}\n`);
      if (findings.some((finding) => !finding.good)) process.exitCode = 1;
    });
}
