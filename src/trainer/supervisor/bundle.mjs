/**
 * Bundles a TypeScript program into one file and prints its path: `node src/trainer/supervisor/bundle.mjs PROGRAM.ts`.
 *
 * The file is named by the SHA-256 of its content. One that is there already is used only if it has that content, byte for
 * byte, and is written anew otherwise: what somebody else has put there is never run.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
const contents = Buffer.from(outputFiles[0].contents);
// Below the project, where the packages that are not bundled are looked for; in no folder that steps write into.
const folder = fileURLToPath(new URL('../../../build/trainers/', import.meta.url));
const file = `${folder}${createHash('sha256').update(contents).digest('hex')}.mjs`;
if (!isThere()) write();
console.log(file);

function isThere() {
  try {
    return readFileSync(file).equals(contents);
  } catch {
    return false;
  }
}

function write() {
  const temporary = `${file}.${process.pid}`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(temporary, contents, { flag: 'wx' });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    console.error(
      `${file}: is not the trainer's bundle, and can't be written (${error.code}). ` +
        `Remove what is there, or run \`node src/trainer/supervisor/bundle.mjs ${process.argv[2]}\` as a user who may write it`,
    );
    process.exit(1);
  }
}
