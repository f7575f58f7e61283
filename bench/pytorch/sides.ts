/** Starts the two sides of a comparison on the same number of threads. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { type Side, startSide } from './side.ts';

export interface SidesSettings {
  task: 'train' | 'score';
  model: string;
  /** PEFT directory; only training has one. */
  adapter?: string;
  threads: string;
  /** The Python to use for PyTorch; see `findPyTorch`. */
  python?: string;
}

/**
 * As a worker starts a trainer.
 *
 * @param options of `our-side.ts`: `--bfloat16`
 */
export function startOurs({ task, model, threads }: SidesSettings, ...options: string[]): Promise<Side> {
  const { program, arguments: started, environment } = typescriptTrainer('bench/pytorch/our-side.ts');
  return startSide(program, [...started, task, '--model', model, ...options], {
    ...environment,
    TF_NUM_INTRAOP_THREADS: threads,
    TF_NUM_INTEROP_THREADS: threads,
  });
}

/** @param options of `pytorch/side.py`: `--compile`, `--autocast` */
export async function startPyTorch(settings: SidesSettings, ...options: string[]): Promise<Side> {
  const { task, model, adapter, threads } = settings;
  const python = await findPyTorch(settings.python);
  const adapterOption = adapter ? ['--adapter', adapter] : [];
  const fixed = ['bench/pytorch/side.py', task, '--model', model, ...adapterOption, '--threads', threads];
  return startSide(python, [...fixed, ...options], { OMP_NUM_THREADS: threads });
}

export const BFLOAT16 = { ours: 'ours, bfloat16', pytorch: 'PyTorch, autocast' } as const;

/** How far losses may be apart: a factor has 8 bits of mantissa, and the two round at different places. */
export const BFLOAT16_TOLERANCE = 0.03;

/** AVX-512 BF16 or AMX; false where the system does not report it (not Linux). */
function hasBfloat16Products(): boolean {
  return process.platform === 'linux' && /\b(avx512_bf16|amx_bf16)\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

export async function startBfloat16Sides(settings: SidesSettings): Promise<Record<string, Side>> {
  if (!hasBfloat16Products()) return {};
  return {
    [BFLOAT16.ours]: await startOurs(settings, '--bfloat16'),
    [BFLOAT16.pytorch]: await startPyTorch(settings, '--autocast'),
  };
}

const PROBE = 'import torch, safetensors; print(torch.__version__)';

/**
 * The given Python, else that of `DATAENGINE_PYTHON`, else the one that `npm run setup -- --python` made.
 *
 * @throws Error when PyTorch is not installed there, telling how to install it
 */
export async function findPyTorch(given?: string): Promise<string> {
  const python = given ?? process.env.DATAENGINE_PYTHON ?? '.cache/python/bin/python';
  try {
    await promisify(execFile)(python, ['-c', PROBE]);
    return python;
  } catch (cause) {
    throw new Error(
      `there is no PyTorch to compare with at ${python}. Run \`npm run setup -- --python\`, or give a Python that ` +
        'has torch and safetensors: -- --python PATH',
      { cause },
    );
  }
}
