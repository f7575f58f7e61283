/**
 * The memory in use on the worker's GPU, by any program, as NVIDIA's own tool reports it
 * (https://docs.nvidia.com/deploy/nvidia-smi/).
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Runtime } from '@temporalio/worker';

const run = promisify(execFile);
const bytesInMebibyte = 2 ** 20;

/**
 * Keeps the metrics `dataengine_gpu_memory_used_bytes` and `dataengine_gpu_memory_bytes` up to date, one of each for every
 * GPU that CUDA_VISIBLE_DEVICES lets the worker see. Without `nvidia-smi` there are none.
 *
 * @returns a function that ends it
 */
export async function watchGpuMemory(everySeconds = 15): Promise<() => void> {
  const meter = Runtime.instance().metricMeter;
  const used = meter.createGauge('dataengine_gpu_memory_used_bytes', 'int', 'By', 'Memory in use on a GPU');
  const total = meter.createGauge('dataengine_gpu_memory_bytes', 'int', 'By', 'Memory of a GPU');
  const read = async (): Promise<boolean> => {
    const gpus = await readGpuMemory();
    for (const gpu of gpus ?? []) {
      used.set(gpu.used, { gpu: gpu.name });
      total.set(gpu.total, { gpu: gpu.name });
    }
    return gpus !== undefined;
  };
  if (!(await read())) return () => undefined;
  const timer = setInterval(() => void read(), everySeconds * 1000);
  timer.unref();
  return () => clearInterval(timer);
}

/** Bytes; undefined where the tool is missing or reports no memory. */
async function readGpuMemory(): Promise<{ name: string; used: number; total: number }[] | undefined> {
  const { CUDA_VISIBLE_DEVICES: visible } = process.env;
  const query = ['--query-gpu=index,memory.used,memory.total', '--format=csv,noheader,nounits'];
  const only = visible === undefined || visible === '' ? [] : [`--id=${visible}`];
  try {
    const { stdout } = await run('nvidia-smi', [...query, ...only], { timeout: 10_000 });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(',').map((field) => field.trim()));
    const gpus = lines.flatMap(([name = '', ...sizes]) => {
      const [used = Number.NaN, total = Number.NaN] = sizes.map((size) => Number(size) * bytesInMebibyte);
      return Number.isFinite(used) && Number.isFinite(total) ? [{ name, used, total }] : [];
    });
    return gpus.length === 0 ? undefined : gpus;
  } catch {
    return undefined;
  }
}
