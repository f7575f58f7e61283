/**
 * Runs a TypeScript program as one bundled file: `node src/trainer/supervisor/run-bundled.mjs PROGRAM.ts [arguments]`.
 *
 * `tsx` keeps a thread and a second JavaScript heap, some 35 MB, for as long as the program runs, and a bundler in the
 * same process 24 MB. A trainer needs its memory for other things.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [program, ...rest] = process.argv.slice(2);
const bundler = fileURLToPath(new URL('bundle.mjs', import.meta.url));
const { status, stdout } = spawnSync(process.execPath, [bundler, program], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (status !== 0) process.exit(1);
const file = stdout.trim();
process.argv = [process.argv[0], file, ...rest];
await import(pathToFileURL(file).href);
