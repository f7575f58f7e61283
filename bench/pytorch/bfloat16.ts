/** The benchmarks' sides that compute matrix products in bfloat16, where the processor has such products. */
import { readFileSync } from 'node:fs';
import type { Side } from './side.ts';
import { type SidesSettings, startOurs, startPyTorch } from './sides.ts';

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
