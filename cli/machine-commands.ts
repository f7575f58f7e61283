/**
 * Commands about this machine: its workers, and what is installed.
 */
import { resolve } from 'node:path';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import type { WorkerFlags } from '../workers/worker-flags.ts';
import { integer } from './options.ts';
import { runScript, runSetup } from './run-setup.ts';

/** Adds `dataengine worker cpu|gpu|teacher|settings`. */
export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .addArgument(new Argument('<kind>').choices(['cpu', 'gpu', 'teacher', 'settings']))
    .description(
      'run a worker: cpu (workflows, CPU steps and requests to the teacher), gpu (one for each GPU) or teacher (requests to the teacher alone); settings: print what a worker that is started here may touch',
    )
    .option('--task-queue <name>', 'default: data-engine, data-engine-gpu or data-engine-teacher')
    .option('--no-teacher', 'cpu: leave the requests to the teacher to workers of the kind teacher')
    .option(
      '--slots <number>',
      'cpu, teacher: concurrent activities, or `resources` to let CPU and memory decide (default: 4 or 20)',
      slots,
    )
    .addOption(new Option('--log-format <format>', 'of the log on standard error').choices(['text', 'json']))
    .option('--metrics-address <address>', 'where Prometheus finds the metrics, such as 127.0.0.1:9464')
    .option('--health-port <number>', 'port of GET /healthz', integer(0))
    .option('--health-host <address>', 'where it listens: 0.0.0.0 for every address (default: localhost)')
    .option(
      '--heartbeat-seconds <number>',
      'how often activities report progress, 1 to 10 (default: 1); set it higher for hundreds of workers',
      heartbeatSeconds,
    )
    .option('--workflow-bundle <file>', 'workflows made by `npm run bundle`, with their SHA-256 beside them')
    .option('--payload-key-file <file>', 'file with the payload keys (default: DATAENGINE_PAYLOAD_KEY_FILE)')
    .option('--build-id <id>', 'enables Worker Versioning: workflows are pinned to the build that they started with')
    .option('--deployment-name <name>', 'of Worker Versioning (default: data-engine)')
    .option('--trainer <file>', 'gpu: another program in TypeScript that speaks the trainer protocol')
    .addHelpText(
      'after',
      '\nExamples:\n  dataengine worker cpu\n  TEMPORAL_ADDRESS=temporal.example:7233 dataengine worker gpu --task-queue data-engine-gpu-a100',
    )
    .action(
      async (
        kind: 'cpu' | 'gpu' | 'teacher' | 'settings',
        { trainer, ...flags }: WorkerFlags & { trainer?: string },
      ) => {
        if (kind === 'settings') return printWorkerSettings();
        const { runCpuWorker, runGpuWorker, runTeacherWorker } = await import('../workers/run-worker.ts');
        if (kind === 'gpu') return runGpuWorker(flags, trainer && resolve(trainer));
        return kind === 'cpu' ? runCpuWorker(flags) : runTeacherWorker(flags);
      },
    );
}

async function printWorkerSettings(): Promise<void> {
  const { stringify } = await import('yaml');
  const { loadWorkerSettings, workerSettingsVariable } = await import('../src/core/worker-settings.ts');
  const settings = await loadWorkerSettings();
  const file = process.env[workerSettingsVariable];
  const from = file ? `From ${file}` : `The defaults: ${workerSettingsVariable} names no file`;
  process.stdout.write(`# ${from}\n${stringify(settings)}`);
}

function heartbeatSeconds(text: string): number {
  const seconds = integer(1)(text);
  // Temporal times an activity of a GPU worker out after 20 seconds without a heartbeat.
  if (seconds > 10) throw new InvalidArgumentError('Give a whole number of at most 10.');
  return seconds;
}

function slots(text: string): number | 'resources' {
  return text === 'resources' ? text : integer(1)(text);
}

/** Adds `dataengine setup`. */
export function addSetupCommand(program: Command): void {
  program
    .command('setup')
    .description('install native TensorFlow and the Temporal CLI, unless they are there')
    .option('--gpu', 'native TensorFlow for CUDA, with its libraries', false)
    .option('--python', 'also a Python environment, for checkpoints that only Python can read', false)
    .addHelpText('after', '\nExample:\n  dataengine setup --gpu')
    .option('--torch', 'also a Python environment for the trainer torchrun', false)
    .option('--deepspeed', 'also that environment, with DeepSpeed in it', false)
    .action(async (wanted: { gpu: boolean; python: boolean; torch: boolean; deepspeed: boolean }) => {
      const options = Object.entries(wanted).flatMap(([name, isWanted]) => (isWanted ? [`--${name}`] : []));
      if (!(await runSetup(options))) process.exitCode = 1;
    });
}

/** Adds `dataengine doctor`. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check this machine: what the README requires, what set-up has installed, GPU, free disk space')
    .addHelpText('after', '\nExample:\n  dataengine doctor')
    .action(async () => {
      if (!(await runScript('doctor'))) process.exitCode = 1;
    });
}
