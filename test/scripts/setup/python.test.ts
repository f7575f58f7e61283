import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { pythonStep, torchStep } from '../../../scripts/setup/python.mjs';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

/** Stands before the Python of this machine on the PATH: makes a folder like a virtual environment, whose pip behaves as the test wants. */
async function pretendPython(pipExit: number, version = '3.11.0') {
  const folder = await temporaryFolder();
  const cache = join(folder, 'cache');
  await mkdir(cache);
  const program = `#!/bin/sh
case "$*" in
  *'import platform, pip'*) echo ${version} ;;
  '-m venv '*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  '-m pip install'*) echo "$*" > ${folder}/called; echo "pip's last line"; exit ${pipExit} ;;
  *'import torch'*) echo 'PyTorch 2.13.0 and transformers 5.23.0' ;;
esac
`;
  for (const name of ['python3', 'python']) {
    await writeFile(join(folder, name), program);
    await chmod(join(folder, name), 0o755);
  }
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  vi.stubEnv('DATAENGINE_PYTHON', '');
  vi.stubEnv('DATAENGINE_TORCH_PYTHON', '');
  return { cache, called: join(folder, 'called'), state: {} as { python?: string } };
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

  it.each([
    ['scripts/setup/requirements.lock.txt', pythonStep],
    ['src/trainer/torch/requirements.lock.txt', torchStep],
  ])('is installed from %s alone, each file by its hash', async (lock, step) => {
    const context = await pretendPython(0);
    await step.make(context);
    expect(await readFile(context.called, 'utf8')).toMatch(
      new RegExp(`^-m pip install --only-binary=:all: --require-hashes .*--requirement /\\S*/${lock}\n$`),
    );
  });

  it('needs the Python that its lock was made for', async () => {
    const failure = await pythonStep.make(await pretendPython(0, '3.10.14')).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: expect.stringContaining('no Python 3.11 or newer'),
      tried: expect.arrayContaining([expect.stringContaining('is 3.10.14, older than 3.11')]),
    });
  });

  it.skipIf(!existsSync('.cache/python/made-from.sha256'))('holds what is pinned', { timeout: 60_000 }, () => {
    const frozen = execFileSync('.cache/python/bin/python', ['-m', 'pip', 'freeze'], { encoding: 'utf8' });
    expect(frozen).toMatch(/^transformers==5\.23\.0$/m);
  });
});
