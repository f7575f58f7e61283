/**
 * Memory: what `dataengine model plan` says against what is measured on small models, and what recomputation,
 * parts and bfloat16 save. Linux only: it reads /proc.
 *
 *   npm run bench:plan
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const side = fileURLToPath(new URL('plan-side.ts', import.meta.url));
const small = { hidden: 256, layers: 6, shape: { batch: 16, tokens: 128, targets: 32 } };
const wide = { hidden: 512, layers: 4, shape: { batch: 8, tokens: 128, targets: 64 } };

const variants = {
  load: { measure: 'load', ...small, hidden: 1024, layers: 8, settings: {} },
  plain: { measure: 'step', ...small, settings: {} },
  recomputed: { measure: 'step', ...small, settings: { activationCheckpointing: true } },
  parts: { measure: 'step', ...small, shape: { ...small.shape, batch: 4 }, settings: { parts: 4 } },
  wide: { measure: 'step', ...wide, settings: {} },
  'wide, recomputed': { measure: 'step', ...wide, settings: { activationCheckpointing: true } },
  'bfloat16 weights': {
    measure: 'step',
    ...wide,
    settings: { activationCheckpointing: true, weightDtype: 'bfloat16' },
  },
};

/**
 * What is freed is given back at once, so that the peak of the process is what is in use: oneDNN's allocator keeps a
 * pool instead, and so does malloc.
 */
const visible = { TF_ENABLE_ONEDNN_OPTS: '0', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536' };

const results: Record<string, unknown> = {};
const wanted = process.argv.slice(2);
for (const [name, variant] of Object.entries(variants)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const { stdout } = await run(
    process.execPath,
    ['--expose-gc', '--import', import.meta.resolve('tsx'), side, JSON.stringify(variant)],
    { env: { ...process.env, ...visible } },
  );
  results[name] = JSON.parse(stdout.trim().split('\n').at(-1) as string);
  console.log(name.padEnd(20), JSON.stringify(results[name]));
}
console.log(JSON.stringify({ bench: 'plan', ...results }));
