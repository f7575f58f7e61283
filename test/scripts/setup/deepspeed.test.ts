import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deepspeedStep } from '../../../scripts/setup/deepspeed.mjs';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const pinned = /^deepspeed==(.+)$/m.exec(await readFile('src/trainer/torch/requirements-deepspeed.txt', 'utf8'))?.[1];

/** A Python of the trainer whose pip behaves as the test wants, and records how it was called. */
async function pretendPython(pipExit: number) {
  const cache = await temporaryFolder();
  const python = join(cache, 'python');
  const program = `#!/bin/sh
case "$*" in
  *'-m pip install'*) echo "DS_BUILD_OPS=$DS_BUILD_OPS $*" > ${cache}/called; echo "pip's last line"; exit ${pipExit} ;;
  *'version("deepspeed")'*) [ -f ${cache}/called ] && echo ${pinned} || { echo 'No package metadata was found'; exit 1; } ;;
esac
`;
  await mkdir(cache, { recursive: true });
  await writeFile(python, program);
  await chmod(python, 0o755);
  return { cache, state: { torch: python } };
}

beforeEach(() => vi.stubEnv('DATAENGINE_TORCH_PYTHON', ''));
afterEach(() => vi.unstubAllEnvs());

describe('DeepSpeed', () => {
  it('is put into the trainer’s environment from its source, without compiling anything, and found afterwards', async () => {
    const context = await pretendPython(0);
    expect(await deepspeedStep.find(context)).toBeUndefined();
    await deepspeedStep.make(context);
    expect(await deepspeedStep.find(context)).toMatchObject({ text: expect.stringContaining(`${pinned} at `) });
    const called = await readFile(join(context.cache, 'called'), 'utf8');
    expect(called).toMatch(
      /^DS_BUILD_OPS=0 .*--only-binary=:all: --no-binary=deepspeed --no-build-isolation --require-hashes .*requirements-deepspeed\.lock\.txt$/m,
    );
  });

  it('quotes pip when it does not come, and names the other way', async () => {
    const failure = await deepspeedStep.make(await pretendPython(1)).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: 'DeepSpeed could not be installed',
      tried: [expect.stringContaining("pip's last line")],
      remedy: expect.stringContaining('sharding: fsdp'),
    });
  });

  it('is not put into a Python that someone named', async () => {
    const context = await pretendPython(0);
    vi.stubEnv('DATAENGINE_TORCH_PYTHON', context.state.torch);
    await expect(deepspeedStep.find(context)).rejects.toMatchObject({
      message: expect.stringContaining(`lacks DeepSpeed ${pinned}`),
      remedy: expect.stringContaining('requirements-deepspeed.lock.txt'),
    });
  });
});
