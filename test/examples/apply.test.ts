import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { applyExample, copyProject, type ProjectCopy } from './apply.ts';

let copy: ProjectCopy;

beforeAll(async () => {
  copy = await copyProject();
  return copy.remove;
});

const registry = 'configs/demo-quick.yaml';

/** An example with these files, whose patch puts a line before the first line of the registry. */
async function example(files: Record<string, string>, patch?: string): Promise<string> {
  const folder = await temporaryFolder();
  const [first] = (await readFile(projectFile(registry), 'utf8')).split('\n');
  files['register.patch'] = patch ?? `--- a/${registry}\n+++ b/${registry}\n@@ -1 +1,2 @@\n+# registered\n ${first}\n`;
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), content);
  }
  return folder;
}

const program = `
import { readFileSync } from 'node:fs';
import { hashBytes } from '../core/hash.ts';
console.log(readFileSync('${registry}', 'utf8').split('\\n')[0], hashBytes('').slice(0, 6), process.argv[2]);
`;
const innerTest = `
import { expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
test('adds up', () => expect(1 + 1).toBe(TWO));
`;

test('an example is applied to a copy, where its programs and tests run', async () => {
  const applied = await applyExample(
    copy,
    await example({
      'new/src/greeting/greet.ts': program,
      'new/test/greeting/good.test.ts': innerTest.replace('TWO', '2'),
      'new/test/greeting/bad.test.ts': innerTest.replace('TWO', '3'),
    }),
    [registry],
  );
  expect(applied.added).toEqual(['src/greeting/greet.ts', 'test/greeting/bad.test.ts', 'test/greeting/good.test.ts']);
  expect(applied.changed).toEqual([registry]);
  expect(applied.changedLines).toBe(1);
  expect(await copy.runProgram('src/greeting/greet.ts', 'hello')).toBe('# registered e3b0c4 hello\n');
  expect(await copy.runTests('test/greeting/good.test.ts')).toContain('1 passed');
  await expect(copy.runTests('test/greeting/bad.test.ts')).rejects.toThrow('expected 2 to be 3');
});

test('a patch that changes other files than the registrations is refused', async () => {
  await expect(applyExample(copy, await example({}), ['configs/demo.yaml'])).rejects.toThrow(
    `changes files that register nothing: ${registry}`,
  );
});

test('a patch that adds a file is refused', async () => {
  const patch = '--- /dev/null\n+++ b/src/new.ts\n@@ -0,0 +1 @@\n+export {};\n';
  await expect(applyExample(copy, await example({}, patch), ['src/new.ts'])).rejects.toThrow('put new files into');
});

test('a patch that the project has outgrown is named, with what to do', async () => {
  const patch = `--- a/${registry}\n+++ b/${registry}\n@@ -1 +1,2 @@\n+# registered\n an older line\n`;
  await expect(applyExample(copy, await example({}, patch), [registry])).rejects.toThrow(
    /register\.patch does not apply any more: make its changes by hand, and write it anew.*patch failed: configs/s,
  );
});

test('a new file that the project has already is refused', async () => {
  await expect(applyExample(copy, await example({ 'new/package.json': '{}' }), [registry])).rejects.toThrow(/exists/);
});
