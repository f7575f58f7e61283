/** Starts the two sides of a comparison on the same number of threads. */
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { findPyTorch } from './find-pytorch.ts';
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
