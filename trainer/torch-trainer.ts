import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { InputError } from '../store/input-error.ts';
import type { TrainerCommand } from './trainer-command.ts';

const launcher = fileURLToPath(new URL('../trainers/torch/launch.py', import.meta.url));
const setupFile = fileURLToPath(new URL('../.cache/setup.json', import.meta.url));
const setupSchema = z.object({ torch: z.string().optional() });

/**
 * The trainer on PyTorch, as so many processes under torchrun.
 *
 * @throws InputError when its Python environment was not set up
 */
export async function torchTrainer(processes: number): Promise<TrainerCommand> {
  return {
    program: await torchPython(),
    arguments: [launcher, String(processes)],
    // Weights and configs are read from folders only; nothing is looked for on a hub.
    environment: { HF_HUB_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'false', PYTHONDONTWRITEBYTECODE: '1' },
  };
}

/** The Python that DATAENGINE_TORCH_PYTHON names, else the one of `dataengine setup --torch`. */
async function torchPython(): Promise<string> {
  const python = process.env.DATAENGINE_TORCH_PYTHON || (await pythonOfSetup());
  if (python !== undefined && existsSync(python)) return python;
  throw new InputError({
    file: python ?? setupFile,
    field: 'trainer',
    problem: python === undefined ? 'torchrun needs its Python environment' : 'this Python is not there',
    remedy:
      'Run `dataengine setup --torch`, or name a Python that has trainers/torch/requirements.txt in DATAENGINE_TORCH_PYTHON',
  });
}

async function pythonOfSetup(): Promise<string | undefined> {
  if (!existsSync(setupFile)) return undefined;
  return setupSchema.parse(JSON.parse(await readFile(setupFile, 'utf8'))).torch;
}
