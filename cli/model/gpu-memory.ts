import { InputError } from '../../src/core/input-error.ts';

const GIB = 2 ** 30;

/** Memory of GPUs, as their makers give it, in GiB. */
const gpus: Record<string, number> = {
  t4: 16,
  'v100-16gb': 16,
  'v100-32gb': 32,
  'rtx-3090': 24,
  'rtx-4090': 24,
  'rtx-5090': 32,
  a10: 24,
  l4: 24,
  l40s: 48,
  'a100-40gb': 40,
  'a100-80gb': 80,
  'h100-80gb': 80,
  'h200-141gb': 141,
};

/** The names that `--gpu` takes. */
export const gpuNames = Object.keys(gpus);

/** Bytes of a GPU's memory. */
export function gpuBytes(name: string): number {
  const size = gpus[name.toLowerCase()];
  if (size !== undefined) return size * GIB;
  const remedy = `Use one of ${gpuNames.join(', ')}, or give --memory`;
  throw new InputError({ file: 'command line', field: '--gpu', problem: `'${name}' is not known`, remedy });
}

/** Bytes of a size such as `24GB` (10⁹) or `22.5GiB` (2³⁰). */
export function parseBytes(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(GB|GiB|MB|MiB)$/i.exec(text.trim()) ?? [];
  if (amount === undefined || unit === undefined) {
    const problem = `'${text}' is not a size`;
    throw new InputError({ file: 'command line', field: '--memory', problem, remedy: 'Write it as 24GB or 22.5GiB' });
  }
  const units: Record<string, number> = { gb: 1e9, gib: GIB, mb: 1e6, mib: 2 ** 20 };
  return Number(amount) * (units[unit.toLowerCase()] as number);
}
