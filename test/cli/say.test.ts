/** Sentences reach a person through `say` and `tell`, which break them between words. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';

/** Files that write to a terminal themselves → what. */
const others: Record<string, string> = {
  'cli/ask/conversation.ts': 'an answer, as it is written',
  'cli/data-history-commands.ts': 'paths, and lines of JSON',
  'cli/machine-commands.ts': 'settings in YAML',
  'cli/probe-tensorflow.ts': 'a line that doctor reads',
  'cli/program.ts': 'help, whose examples are copied',
};

test('no command writes a sentence past them', () => {
  const files = ['cli', 'demo/command'].flatMap((folder) =>
    readdirSync(projectFile(folder), { recursive: true })
      .map((name) => join(folder, String(name)))
      .filter((name) => name.endsWith('.ts')),
  );
  expect(files.length).toBeGreaterThan(50);
  const writing = files.filter((name) =>
    readFileSync(projectFile(name), 'utf8')
      .split('\n')
      .some((line) => /process\.std(out|err)\.write\(/.test(line) && !line.includes('JSON.stringify')),
  );
  expect(writing.sort()).toEqual(Object.keys(others));
});
