import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { protocolReporter } from '../../src/trainer/trainer-side.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

test('a trainer writes as long as its attempt is the newest, and the run has its owner', async () => {
  const folder = await temporaryFolder();
  const [started, lost] = [path.join(folder, 'started.json'), path.join(folder, 'owners-2.json')];
  const { signal } = new AbortController();
  const { requireFence } = protocolReporter(signal, { started, attempt: 'a', lost });
  const start = (attempt: string) => writeFile(started, JSON.stringify({ attempt }));
  // Another attempt has finished, and removed it.
  expect(requireFence).toThrow(/another attempt has started/);
  await start('a');
  requireFence();
  await start('b');
  expect(requireFence).toThrow(/another attempt has started .*started\.json\): nothing is written/);
  await start('a');
  await writeFile(lost, '');
  expect(requireFence).toThrow(/the run has another owner .*owners-2\.json\): nothing is written/);
  // A job by hand has none.
  protocolReporter(signal).requireFence();
});
