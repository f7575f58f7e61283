#!/usr/bin/env node
/**
 * Fails when a code file has more than 350 lines: source, tests, benchmarks and scripts, in TypeScript, JavaScript and
 * Python, as Git lists them.
 *
 *   node scripts/check-sizes.mjs [folder]
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const mostLines = 350;
const folder = process.argv[2] ?? '.';

const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
const files = execFileSync('git', list, { cwd: folder, encoding: 'utf8' })
  .split('\0')
  // A file that was removed but not yet committed is still listed.
  .filter((file) => /\.(ts|mjs|cjs|js|py)$/.test(file) && existsSync(join(folder, file)));
const tooLong = files
  .map((file) => ({ file, lines: readFileSync(join(folder, file), 'utf8').trimEnd().split('\n').length }))
  .filter(({ lines }) => lines > mostLines);

for (const { file, lines } of tooLong) console.error(`✗ ${file} has ${lines} lines, more than ${mostLines}: split it`);
if (tooLong.length === 0) console.log(`✓ None of ${files.length} code files has more than ${mostLines} lines`);
else process.exitCode = 1;
