import { execFile, execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

/** A repository whose files have these numbers of lines. */
async function repository(files: Record<string, number>): Promise<string> {
  const folder = await temporaryFolder();
  execFileSync('git', ['init', '--quiet', folder]);
  for (const [file, lines] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), 'x\n'.repeat(lines));
  }
  return folder;
}

function checkSizes(folder: string): Promise<{ code: number; output: string }> {
  const line = [projectFile('scripts/check-sizes.mjs'), folder];
  return new Promise((resolve) => {
    execFile(process.execPath, line, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

test('code of up to 350 lines passes, and so does any length of what is no code', async () => {
  const folder = await repository({ 'src/a.ts': 350, 'test/b.test.ts': 1, 'bench/side.py': 350, 'README.md': 900 });
  expect(await checkSizes(folder)).toEqual({ code: 0, output: '✓ None of 3 code files has more than 350 lines\n' });
});

test.each(['src/a.ts', 'test/a.test.ts', 'scripts/a.mjs', 'bench/a.py'])('%s of 351 lines fails', async (file) => {
  const { code, output } = await checkSizes(await repository({ [file]: 351, 'src/short.ts': 3 }));
  expect(code).toBe(1);
  expect(output).toBe(`✗ ${file} has 351 lines, more than 350: split it\n`);
});

test('files that Git ignores or that are gone do not count', async () => {
  const folder = await repository({ 'src/gone.ts': 400, '.cache/bundle.mjs': 400 });
  await writeFile(join(folder, '.gitignore'), '.cache\n');
  execFileSync('git', ['add', 'src'], { cwd: folder });
  await rm(join(folder, 'src/gone.ts'));
  expect((await checkSizes(folder)).code).toBe(0);
});
