/** What a trainer runs is made from its source; a file that somebody put where its bundle is kept is never run. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { projectFile } from '../../../src/core/files.ts';
import { hashFile } from '../../../src/core/hash.ts';
import { typescriptTrainer } from '../../../src/trainer/supervisor/trainer-command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const run = promisify(execFile);

/** A program of this test's own, where it is bundled to, and a file that appears once something else was run. */
async function program() {
  const folder = await temporaryFolder();
  const entry = join(folder, 'program.ts');
  await writeFile(entry, `const name: string = ${JSON.stringify(folder)};\nconsole.log('from source', name);\n`);
  const { stdout } = await run(process.execPath, [projectFile('src/trainer/supervisor/bundle.mjs'), entry]);
  const bundle = stdout.trim();
  onTestFinished(() => rm(bundle, { recursive: true, force: true }));
  const command = typescriptTrainer(entry);
  return {
    bundle,
    planted: join(folder, 'planted'),
    expected: `from source ${folder}\n`,
    run: () => run(command.program, command.arguments),
  };
}

test('a bundle is named by the SHA-256 of its content, in a folder that no step writes into, and is kept', async () => {
  const { bundle, run: runIt, expected } = await program();
  expect(relative(projectFile('.'), bundle)).toBe(`build/trainers/${await hashFile(bundle)}.mjs`);
  const { mtimeMs } = await stat(bundle);
  expect((await runIt()).stdout).toBe(expected);
  expect((await stat(bundle)).mtimeMs).toBe(mtimeMs);
});

test('a changed bundle is not run, and is made again', async () => {
  const { bundle, planted, run: runIt, expected } = await program();
  await writeFile(bundle, `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(planted)}, '');\n`);
  expect((await runIt()).stdout).toBe(expected);
  expect(existsSync(planted)).toBe(false);
  expect(basename(bundle)).toBe(`${await hashFile(bundle)}.mjs`);
});

test('what can’t be replaced ends the trainer with a sentence', async () => {
  const { bundle, run: runIt } = await program();
  await rm(bundle);
  await mkdir(join(bundle, 'folder'), { recursive: true });
  const failure = await runIt().catch((error: { stderr: string; code: number }) => error);
  expect(failure).toMatchObject({ code: 1 });
  expect(failure.stderr).toMatch(
    /\.mjs: is not the trainer's bundle, and can't be written \(E\w+\)\. Remove what is there/,
  );
  expect((await readFile(projectFile('.gitignore'), 'utf8')).split('\n')).toContain('build/');
});
