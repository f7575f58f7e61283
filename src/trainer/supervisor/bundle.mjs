/** Bundles a TypeScript program into one file and prints its path: `node src/trainer/supervisor/bundle.mjs PROGRAM.ts`. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const { outputFiles } = buildSync({
  entryPoints: [process.argv[2]],
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
const folder = fileURLToPath(new URL('../../../.cache/bundles/', import.meta.url));
const file = `${folder}${createHash('sha256').update(contents).digest('hex').slice(0, 16)}.mjs`;
if (!existsSync(file)) {
  mkdirSync(folder, { recursive: true });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, file);
}
console.log(file);
