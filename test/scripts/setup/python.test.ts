import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { pythonStep } from '../../../scripts/setup/python.mjs';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

/** Stands before `python3` on the PATH: makes a folder like a virtual environment, whose pip behaves as the test wants. */
async function pretendPython(pipExit: number) {
  const folder = await temporaryFolder();
  const cache = join(folder, 'cache');
  await mkdir(cache);
  const program = `#!/bin/sh
case "$*" in
  *'import platform, pip'*) echo 3.11.0 ;;
  '-m venv '*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  '-m pip install'*) echo "pip's last line"; exit ${pipExit} ;;
  *'import torch'*) echo 'PyTorch 2.13.0 and transformers 5.23.0' ;;
esac
`;
  await writeFile(join(folder, 'python3'), program);
  await chmod(join(folder, 'python3'), 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  vi.stubEnv('DATAENGINE_PYTHON', '');
  return { cache, state: {} as { python?: string } };
}

afterEach(() => vi.unstubAllEnvs());

describe('the Python environment', () => {
  it('is made once, and found afterwards', async () => {
    const context = await pretendPython(0);
    expect(await pythonStep.find(context)).toBeUndefined();
    await pythonStep.make(context);
    expect(await pythonStep.find(context)).toMatchObject({ text: expect.stringContaining('packages from PyPI') });
    expect(context.state.python).toBe(join(context.cache, 'python/bin/python'));
  });

  it('counts as not there when its making was broken off or other packages are pinned', async () => {
    const context = await pretendPython(0);
    await pythonStep.make(context);
    await writeFile(join(context.cache, 'python/made-from.sha256'), 'of other requirements');
    expect(await pythonStep.find(context)).toBeUndefined();
  });

  it('quotes pip when the packages do not come', async () => {
    const context = await pretendPython(1);
    const failure = await pythonStep.make(context).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: 'the Python packages could not be installed',
      tried: [expect.stringContaining("pip's last line")],
      remedy: expect.stringContaining('DATAENGINE_PYTHON'),
    });
    expect(await pythonStep.find(context)).toBeUndefined();
  });

  it('pins every package exactly', async () => {
    const lines = (await readFile('scripts/setup/requirements.txt', 'utf8')).split('\n').filter(Boolean);
    const packages = lines.filter((line) => !line.startsWith('#'));
    expect(packages).toContainEqual(expect.stringMatching(/^torch==/));
    for (const line of packages) expect(line).toMatch(/^[\w.-]+==[\w.]+$/);
  });

  it.skipIf(!existsSync('.cache/python/made-from.sha256'))('holds what is pinned', { timeout: 60_000 }, () => {
    const frozen = execFileSync('.cache/python/bin/python', ['-m', 'pip', 'freeze'], { encoding: 'utf8' });
    expect(frozen).toMatch(/^transformers==5\.23\.0$/m);
  });
});
