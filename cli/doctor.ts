/**
 * Checks what this machine has by using it.
 */
import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pc from 'picocolors';
import { z } from 'zod';
import { printable } from '../src/core/printable.ts';
import { readSetup } from '../src/core/setup-file.ts';

const run = promisify(execFile);
const oldestNode = [20, 19] as const;
const minimumFreeGigabytes = 5;
const tensorflowProbe = fileURLToPath(new URL('./probe-tensorflow.ts', import.meta.url));
const probeSchema = z.object({ version: z.string(), gpu: z.boolean(), devices: z.string(), product: z.number() });

export interface Finding {
  name: string;
  good: boolean;
  /** What was found, or what is wrong and how to fix it. */
  text: string;
}

/** Looks at Node, native TensorFlow, the GPU, the Temporal CLI and the disk. */
export async function examineMachine(): Promise<Finding[]> {
  const [tensorflow, temporal, disk] = await Promise.all([examineTensorflow(), examineTemporal(), examineDisk()]);
  return [examineNode(), ...tensorflow, temporal, disk];
}

/** The findings as lines for a terminal. */
export function formatFindings(findings: Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings
    .map(
      ({ name, good, text }) => `${good ? pc.green('ok ') : pc.red('bad')} ${name.padEnd(width)}  ${printable(text)}`,
    )
    .join('\n');
}

function examineNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const good = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const text = `${process.versions.node} (${process.platform} ${process.arch})`;
  return { name: 'Node', good, text: good ? text : `${text}: install Node ${oldestNode.join('.')} or newer` };
}

/** In another process: a broken native library can crash the process that loads it. */
async function examineTensorflow(): Promise<Finding[]> {
  try {
    const { stdout } = await run(process.execPath, ['--import', import.meta.resolve('tsx'), tensorflowProbe], {
      timeout: 120_000,
    });
    const { version, gpu, devices, product } = probeSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
    const works = product === 11;
    return [
      {
        name: 'TensorFlow',
        good: works,
        text: works ? `${version}, a matrix product was computed` : `${version}, but its result is wrong`,
      },
      await examineGpu(gpu, devices),
    ];
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : String(error);
    return [{ name: 'TensorFlow', good: false, text: `${reason}. Run \`node scripts/setup.mjs\`` }];
  }
}

/** Computing on the CPU of a machine set up for a GPU is a fault: a round would take days. */
async function examineGpu(used: boolean, devices: string): Promise<Finding> {
  const name = 'GPU';
  if (used) return { name, good: true, text: `yes, the product ran on it (${devices})` };
  const wanted = (await readSetup().catch(() => undefined))?.gpu ?? false;
  if (!wanted) return { name, good: true, text: 'none used; everything runs on the CPU' };
  const remedy = 'See that `nvidia-smi` lists it and CUDA_VISIBLE_DEVICES does not hide it, or run `npm run setup`';
  return { name, good: false, text: `set up for one, but the product ran on the CPU. ${remedy}` };
}

async function examineTemporal(): Promise<Finding> {
  const name = 'Temporal CLI';
  const executable = (await readSetup().catch(() => undefined))?.temporal ?? 'temporal';
  try {
    const { stdout } = await run(executable, ['--version'], { timeout: 30_000 });
    return { name, good: true, text: `${stdout.trim()} at ${executable}` };
  } catch {
    return { name, good: false, text: `${executable} does not run. Run \`node scripts/setup.mjs\`` };
  }
}

async function examineDisk(): Promise<Finding> {
  const { bavail, bsize } = await statfs(process.cwd());
  const gigabytes = (bavail * bsize) / 1e9;
  const good = gigabytes >= minimumFreeGigabytes;
  const text = `${gigabytes.toFixed(1)} GB free in ${process.cwd()}`;
  return { name: 'Disk', good, text: good ? text : `${text}: free at least ${minimumFreeGigabytes} GB` };
}
