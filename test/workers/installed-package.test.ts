/** The workflows are bundled also where the project is an installed package, below somebody's node_modules. */
import { cp, mkdir, readdir, realpath, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
import { compileOwnSources } from '../../workers/worker-flags.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const noLog = () => undefined;
const quiet = { log: noLog, trace: noLog, debug: noLog, info: noLog, warn: noLog, error: noLog };

test('with our own sources compiled, and no other package’s', async () => {
  const packages = join(await realpath(await temporaryFolder()), 'node_modules');
  const root = join(packages, 'mllm-dataengine/');
  await mkdir(root, { recursive: true });
  for (const folder of ['workflows', 'src']) await cp(projectFile(folder), join(root, folder), { recursive: true });
  for (const name of await readdir(projectFile('node_modules'))) {
    if (!name.startsWith('.')) await symlink(join(projectFile('node_modules'), name), join(packages, name));
  }
  const options = { workflowsPath: join(root, 'workflows/index.ts'), logger: quiet };
  await expect(bundleWorkflowCode(options)).rejects.toThrow('Webpack finished with errors');
  const { code } = await bundleWorkflowCode({ ...options, webpackConfigHook: compileOwnSources(root) });
  for (const name of ['dataEngine', 'dataEngineRound', 'dataEngineGeneration']) expect(code).toContain(name);
});
