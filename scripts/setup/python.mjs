import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPython, lastLines, requireSpace, runProgram } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

const here = dirname(fileURLToPath(import.meta.url));
// What the locks were made for; their versions of NumPy and NetworkX require it too.
const oldestPython = [3, 11];

/**
 * A Python with PyTorch and transformers, for checkpoints that only Python reads. Optional: training
 * and evaluation do not need it.
 */
export const pythonStep = pythonEnvironment({
  name: 'Python environment',
  key: 'python',
  variable: 'DATAENGINE_PYTHON',
  requirements: join(here, 'requirements.lock.txt'),
  // transformers reads GGUF with the help of gguf and accelerate.
  modules: ['torch', 'transformers', 'gguf', 'accelerate', 'safetensors'],
});

/** What the trainer `torchrun` runs in. */
export const torchStep = pythonEnvironment({
  name: 'PyTorch trainer',
  key: 'torch',
  variable: 'DATAENGINE_TORCH_PYTHON',
  requirements: join(here, '../../src/trainer/torch/requirements.lock.txt'),
  modules: ['torch', 'transformers', 'peft', 'safetensors', 'tokenizers', 'PIL'],
});

/**
 * A virtual environment with pinned packages, in `<cache>/<key>`; the environment variable names another Python that has
 * them.
 */
function pythonEnvironment({ name, key, variable, requirements, modules }) {
  const folder = ({ cache }) => join(cache, key);
  const ownPython = (context) => join(folder(context), 'bin/python');
  const stampFile = (context) => join(folder(context), 'made-from.sha256');
  const tryout = `import ${modules.join(', ')}`;

  // Written last: an environment whose installation was interrupted has none.
  function isComplete(context) {
    if (!existsSync(ownPython(context)) || !existsSync(stampFile(context))) return false;
    return readFileSync(stampFile(context), 'utf8') === hashOfRequirements();
  }

  const hashOfRequirements = () => createHash('sha256').update(readFileSync(requirements)).digest('hex');

  function versionsOf(python) {
    const report = 'print("PyTorch", torch.__version__, "and transformers", transformers.__version__)';
    return runProgram(python, ['-c', `${tryout}; ${report}`]);
  }

  return {
    name,

    async find(context) {
      const named = process.env[variable];
      if (named) {
        const python = resolve(named);
        const versions = await versionsOf(python);
        if (!versions.ok) {
          throw new SetupError({
            problem: `${variable} names ${python}, which lacks what is needed`,
            tried: [`${tryout}: ${lastLines(versions.output, 1)}`],
            remedy: `install the packages of ${requirements} there, or unset ${variable}`,
          });
        }
        context.state[key] = python;
        return { text: `${versions.output} at ${python} (named by ${variable})` };
      }
      if (!isComplete(context)) return undefined;
      context.state[key] = ownPython(context);
      return { text: `${ownPython(context)} (packages from PyPI)` };
    },

    async make(context) {
      requireSpace(context.cache, 3e9);
      const python = await findPython(oldestPython, 'pip and venv');
      rmSync(folder(context), { recursive: true, force: true });
      const remedy =
        'check the network and the proxy settings, then run the set-up again; or name a Python that has the ' +
        `packages of ${requirements} as ${variable}`;
      const venv = await runProgram(python, ['-m', 'venv', folder(context)]);
      if (!venv.ok) {
        throw new SetupError({
          problem: 'no virtual environment could be created',
          tried: [`${python} -m venv: ${lastLines(venv.output)}`],
          remedy: 'install what is missing, for instance with `apt-get install python3-venv`',
        });
      }
      // Every package is in the lock, those that others require too; another file than the locked one is refused.
      const install = [
        '-m',
        'pip',
        'install',
        '--only-binary=:all:',
        '--require-hashes',
        '--disable-pip-version-check',
      ];
      const packages = await runProgram(ownPython(context), [...install, '--requirement', requirements]);
      if (!packages.ok) {
        throw new SetupError({
          problem: 'the Python packages could not be installed',
          tried: [`${ownPython(context)} -m pip install: ${lastLines(packages.output)}`],
          remedy: /Errno 28|No space/.test(packages.output)
            ? `free some space on the disk of ${context.cache}: PyTorch with CUDA takes 7 GB`
            : remedy,
        });
      }
      const versions = await versionsOf(ownPython(context));
      if (!versions.ok) {
        throw new SetupError({
          problem: 'the Python packages were installed, but do not work',
          tried: [`${tryout}: ${lastLines(versions.output)}`],
          remedy,
        });
      }
      writeFileSync(stampFile(context), hashOfRequirements());
    },
  };
}
