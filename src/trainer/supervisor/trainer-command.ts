/** The programs that run jobs. */
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/schema.ts';
import { pythonOfSetup } from '../../core/setup-file.ts';

/** The program that runs a job: the job file's path is added as the last argument. */
export interface TrainerCommand {
  program: string;
  arguments: string[];
  environment?: Record<string, string>;
}

/** Our own trainer on native TensorFlow. */
export const defaultTrainerEntry = fileURLToPath(new URL('../main.ts', import.meta.url));

const bundledRunner = fileURLToPath(new URL('run-bundled.mjs', import.meta.url));
/** What a trainer allocates itself is short-lived: a young generation of megabytes would only fill up with it. */
const NODE_OPTIONS = ['--enable-source-maps', '--max-semi-space-size=1'];
/** A trainer written in TypeScript, run by this Node with no build step. */
export function typescriptTrainer(entry: string = defaultTrainerEntry): TrainerCommand {
  return {
    program: process.execPath,
    arguments: [...NODE_OPTIONS, bundledRunner, entry],
    // By default glibc's allocator keeps heaps by thread, eight a processor. TensorFlow takes its tensors elsewhere.
    environment: { MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '1' },
  };
}

const launcher = fileURLToPath(new URL('../torch/launch.py', import.meta.url));

/** Above it, glibc gives memory back as soon as it is freed; else gathered layers on a CPU fill up the heap. */
const ONE_MEGABYTE = '1000000';

const pythonEnvironment = {
  // Weights and configs are read from folders only; nothing is looked for on a hub.
  HF_HUB_OFFLINE: '1',
  TOKENIZERS_PARALLELISM: 'false',
  PYTHONDONTWRITEBYTECODE: '1',
};

/**
 * The engine on PyTorch, one process (`src/serving/protocol.ts`).
 *
 * @throws InputError when its Python environment was not set up
 */
export async function torchEngine(): Promise<TrainerCommand> {
  const program = fileURLToPath(new URL('../torch/serve.py', import.meta.url));
  return { program: await pythonOfSetup('torch'), arguments: [program], environment: pythonEnvironment };
}

export type Sharding = Config['sharding'];

export interface TorchSettings {
  /** Processes that share a job. */
  processes: number;
  /** Whose processes keep a part of the model's weights only. Default `none`: each has all of them. */
  sharding?: Sharding | undefined;
}

/**
 * The trainer on PyTorch, as so many processes: under torchrun where they are several.
 *
 * @throws InputError when its Python environment was not set up
 */
export async function torchTrainer({ processes, sharding = 'none' }: TorchSettings): Promise<TrainerCommand> {
  return {
    program: await pythonOfSetup('torch'),
    arguments: [launcher, String(processes), sharding],
    environment: {
      ...pythonEnvironment,
      ...(sharding !== 'none' && { MALLOC_MMAP_THRESHOLD_: process.env.MALLOC_MMAP_THRESHOLD_ ?? ONE_MEGABYTE }),
    },
  };
}
