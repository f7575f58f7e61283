/** An optimization of a prompt has a folder of its own among the runs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cpuTasks } from '../../activities/cpu-tasks.ts';
import { fileExists } from '../../src/core/files.ts';
import { usualWorkerSettings } from '../../src/core/worker-settings.ts';
import { openOwnerPlace } from '../../src/round/owner/owner-place.ts';
import { extensions } from '../../workers/extensions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from '../round/tiny-run.ts';

test('it is refused in the folder of a run, which stays as it is, and may be prepared again in its own', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder);
  const { run } = await tinyContext(config);
  const place = await openOwnerPlace(run.root, { access: undefined });
  const ids = { cluster: 'c', namespace: 'default', workflowId: 'tiny', runId: 'ended' };
  await place?.claim(1, { kind: 'workflow', ...ids });
  const before = await readFile(join(run.root, 'config.json'), 'utf8');
  const settings = { ...usualWorkerSettings(), configs: ['/'], data: ['/'], models: ['/'], runs: ['/'] };
  const host = { signal: new AbortController().signal, onProgress: () => undefined, extensions, settings };
  const prepare = (workflowId: string) =>
    cpuTasks.preparePromptOptimization({ config, seed: 9, workflowId }, { ...host, settings });

  await expect(prepare('tiny')).rejects.toThrow(/is in the folder of a run, whose owner is the workflow tiny/);
  expect(await readFile(join(run.root, 'config.json'), 'utf8')).toBe(before);
  expect(await fileExists(join(run.root, 'prompts'))).toBe(false);

  const { directory } = await prepare('better');
  expect(await prepare('better')).toMatchObject({ directory });
  expect(await fileExists(join(directory, 'prompts', 'iteration-0.md'))).toBe(true);
});
