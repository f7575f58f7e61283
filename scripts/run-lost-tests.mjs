// Runs those files of tests again whose process died, each named. A second death, or any other failure, stays one.
//
// Usage: node scripts/run-lost-tests.mjs RESULTS
// RESULTS: a folder with `tests.json`, vitest's JSON report of all files; gets `tests-again.json`. Exits with 0 when nothing but
// these files was wrong and they pass now.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const [results] = process.argv.slice(2);
const { testResults } = JSON.parse(readFileSync(join(results, 'tests.json'), 'utf8'));
/** What vitest calls a test that was begun, or waited, when its process died. */
const lost = ({ status }) => status === 'pending';

const reported = new Map(testResults.map((file) => [relative('.', file.name), file]));
const files = readdirSync('test', { recursive: true })
  .filter((name) => name.endsWith('.test.ts') && !name.endsWith('.long.test.ts'))
  .map((name) => join('test', name))
  .filter((file) => !reported.has(file) || reported.get(file).assertionResults.some(lost));
if (files.length === 0) process.exit(1);

for (const file of files) {
  const tests = reported.get(file)?.assertionResults.filter(lost) ?? [];
  const which = tests.map(({ fullName }) => `"${fullName}"`).join(', ');
  console.log(`Died: ${file}${which === '' ? '' : `: while it ran ${which}`}. It runs again.`);
}
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    ...files,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${join(results, 'tests-again.json')}`,
  ],
  { stdio: 'inherit' },
);
const others = testResults.filter(({ name, status }) => status === 'failed' && !files.includes(relative('.', name)));
process.exit(status === 0 && others.length === 0 ? 0 : 1);
