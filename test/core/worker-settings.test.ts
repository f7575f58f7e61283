import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadWorkerSettings, workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function load(text: string) {
  const file = join(await temporaryFolder(), 'worker.yaml');
  await writeFile(file, text);
  return loadWorkerSettings({ [workerSettingsVariable]: file });
}

test('umask is none by default, and octal digits in quotes', async () => {
  expect((await load('')).umask).toBeUndefined();
  expect((await load('umask: "027"')).umask).toBe('027');
});

// YAML reads 027 as the number 27.
test.each(['027', '"0o27"', '"999"', '"27"'])('umask: %s is an error that shows how to write it', async (text) => {
  await expect(load(`umask: ${text}`)).rejects.toThrow(/umask: .*in quotes, such as "027"/);
});
