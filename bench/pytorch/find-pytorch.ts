/** Finds the Python that PyTorch's side of the benchmarks runs in. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PROBE = 'import torch, safetensors; print(torch.__version__)';

/**
 * The given Python, else that of `DATAENGINE_PYTHON`, else the one that `npm run setup -- --python` made.
 *
 * @throws Error when PyTorch is not installed there, telling how to install it
 */
export async function findPyTorch(given?: string): Promise<string> {
  const python = given ?? process.env.DATAENGINE_PYTHON ?? '.cache/python/bin/python';
  try {
    await promisify(execFile)(python, ['-c', PROBE]);
    return python;
  } catch (cause) {
    throw new Error(
      `there is no PyTorch to compare with at ${python}. Run \`npm run setup -- --python\`, or give a Python that ` +
        'has torch and safetensors: -- --python PATH',
      { cause },
    );
  }
}
