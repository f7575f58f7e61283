/**
 * Runs a TypeScript program as one bundled file: `node trainer/run-bundled.mjs PROGRAM.ts [arguments]`.
 *
 * `tsx` keeps a thread and a second JavaScript heap, some 35 MB, for as long as the program runs. A trainer needs its
 * memory for other things.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';

const [program, ...rest] = process.argv.slice(2);
const { outputFiles } = buildSync({
  entryPoints: [program],
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: `node${process.versions.node}`,
  sourcemap: 'inline',
  sourcesContent: false,
  write: false,
});
const [{ contents }] = outputFiles;
// Below the project, where the packages that are not bundled are looked for.
const folder = fileURLToPath(new URL('../.cache/bundles/', import.meta.url));
const file = `${folder}${createHash('sha256').update(contents).digest('hex').slice(0, 16)}.mjs`;
if (!existsSync(file)) {
  mkdirSync(folder, { recursive: true });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, file);
}
process.argv = [process.argv[0], file, ...rest];
await import(pathToFileURL(file).href);
