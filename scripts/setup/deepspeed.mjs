import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLines, requireSpace, runProgram } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

const requirements = join(
  dirname(fileURLToPath(import.meta.url)),
  '../../src/trainer/torch/requirements-deepspeed.lock.txt',
);
const versionOf = 'import importlib.metadata; print(importlib.metadata.version("deepspeed"))';

/** DeepSpeed, in the Python that `torchStep` found. Optional: only `sharding: deepspeed` needs it. */
export const deepspeedStep = {
  name: 'DeepSpeed',

  async find({ state }) {
    const { ok, output } = await runProgram(state.torch, ['-c', versionOf]);
    if (ok && output === pinnedVersion()) return { text: `${output} at ${state.torch}` };
    if (!process.env.DATAENGINE_TORCH_PYTHON) return undefined;
    throw new SetupError({
      problem: `DATAENGINE_TORCH_PYTHON names ${state.torch}, which lacks DeepSpeed ${pinnedVersion()}`,
      tried: [`import deepspeed: ${ok ? `version ${output}` : lastLines(output, 1)}`],
      remedy: `install the packages of ${requirements} there, or unset DATAENGINE_TORCH_PYTHON`,
    });
  },

  async make({ cache, state }) {
    requireSpace(cache, 1e8);
    // It comes as source only. It is built with the locked setuptools that `torchStep` has installed: pip would download
    // another one for the build alone, by no hash.
    const sources = ['--only-binary=:all:', '--no-binary=deepspeed', '--no-build-isolation', '--require-hashes'];
    const install = ['-m', 'pip', 'install', ...sources, '--disable-pip-version-check', '--requirement', requirements];
    const env = { ...process.env, DS_BUILD_OPS: '0' };
    const { ok, output } = await runProgram(state.torch, install, { env });
    if (ok) return;
    throw new SetupError({
      problem: 'DeepSpeed could not be installed',
      tried: [`${state.torch} -m pip install: ${lastLines(output)}`],
      remedy: 'check the network and the proxy settings, then run the set-up again; or set sharding: fsdp',
    });
  },
};

function pinnedVersion() {
  return /^deepspeed==(\S+)/m.exec(readFileSync(requirements, 'utf8'))[1];
}
