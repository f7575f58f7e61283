import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/schema.ts';
import { pythonOfSetup } from '../../core/setup-file.ts';
import type { TrainerCommand } from './trainer-command.ts';

const launcher = fileURLToPath(new URL('../torch/launch.py', import.meta.url));

/** Above it, glibc gives memory back as soon as it is freed; else gathered layers on a CPU fill up the heap. */
const ONE_MEGABYTE = '1000000';

export type Sharding = Config['sharding'];

export interface TorchSettings {
  /** Processes that share a job. */
  processes: number;
  /** Whose processes keep a part of the model's weights only. Default `none`: each has all of them. */
  sharding?: Sharding | undefined;
}

/**
 * The trainer on PyTorch, as so many processes under torchrun.
 *
 * @throws InputError when its Python environment was not set up
 */
export async function torchTrainer({ processes, sharding = 'none' }: TorchSettings): Promise<TrainerCommand> {
  return {
    program: await pythonOfSetup('torch'),
    arguments: [launcher, String(processes), sharding],
    // Weights and configs are read from folders only; nothing is looked for on a hub.
    environment: {
      HF_HUB_OFFLINE: '1',
      TOKENIZERS_PARALLELISM: 'false',
      PYTHONDONTWRITEBYTECODE: '1',
      ...(sharding !== 'none' && { MALLOC_MMAP_THRESHOLD_: process.env.MALLOC_MMAP_THRESHOLD_ ?? ONE_MEGABYTE }),
    },
  };
}
