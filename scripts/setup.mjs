#!/usr/bin/env node
/**
 * Prepares this checkout: installs npm packages, the Temporal CLI, native TensorFlow and its addon. Needs only
 * Node. Skips what is installed already, so it may run before every command.
 *
 *   node scripts/setup.mjs          TensorFlow for the CPU (or, after --gpu once, still for the GPU)
 *   node scripts/setup.mjs --gpu    TensorFlow for CUDA 12, with CUDA's libraries from PyPI
 *   node scripts/setup.mjs --cpu    back to the CPU
 *   node scripts/setup.mjs --python  also a Python environment, for checkpoints that only Python reads
 *   node scripts/setup.mjs --torch   also a Python environment for the trainer torchrun
 *   node scripts/setup.mjs --deepspeed  also that environment, with DeepSpeed in it
 *   node scripts/setup.mjs --s3-server  also a server that speaks S3, for tests
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonStep } from './setup/addon.mjs';
import { deepspeedStep } from './setup/deepspeed.mjs';
import { withLock } from './setup/lock.mjs';
import { describeKeptByNpm } from './setup/npm-options.mjs';
import { packagesStep } from './setup/packages.mjs';
import { oldestNode } from './setup/pins.mjs';
import { isAtLeast } from './setup/programs.mjs';
import { pythonStep, torchStep } from './setup/python.mjs';
import { s3ServerStep } from './setup/s3-server.mjs';
import { SetupError } from './setup/setup-error.mjs';
import { readState, saveState } from './setup/state.mjs';
import { temporalStep } from './setup/temporal.mjs';
import { tensorflowStep } from './setup/tensorflow.mjs';
import { removeLeftovers } from './setup/wheels.mjs';

const nodeStep = {
  name: 'Node',
  find: () => (isAtLeast(process.versions.node, oldestNode) ? { text: process.versions.node } : undefined),
  make() {
    const remedy = `install Node ${oldestNode.join('.')} or newer (https://nodejs.org)`;
    throw new SetupError({ problem: `this is Node ${process.versions.node}`, remedy });
  },
};

const known = ['--gpu', '--cpu', '--python', '--torch', '--deepspeed', '--s3-server'];
/** Those of the demo, which the set-up comes before: it may take minutes. */
const knownToDemo = ['--quick', '--seed', '--keep', '--config', '--folder', '--images'];

/** Each step looks for what it needs (`find`, quick) and installs it (`make`, under the lock) when it is missing. */
const standardSteps = [nodeStep, packagesStep, temporalStep, tensorflowStep, addonStep];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache');

async function main(options) {
  const unknown = options.find((option) => !known.includes(option));
  if (unknown) {
    const choice = `${known.slice(0, -1).join(', ')} or ${known.at(-1)}`;
    console.error(`There is no option ${unknown}: use ${choice}, or none`);
    return 2;
  }
  const names = process.env.npm_lifecycle_event === 'demo' ? knownToDemo : known;
  const kept = describeKeptByNpm(
    names.map((option) => option.slice(2)),
    process.env,
  );
  if (kept !== undefined) {
    console.error(kept);
    return 2;
  }
  const before = readState(cache);
  const gpu = options.includes('--gpu') || (before.gpu === true && !options.includes('--cpu'));
  const context = { root, cache, gpu, gpuFolder: join(cache, 'tensorflow-gpu'), state: { ...before } };

  const steps = [
    ...standardSteps,
    ...(options.includes('--python') ? [pythonStep] : []),
    ...(options.includes('--torch') || options.includes('--deepspeed') ? [torchStep] : []),
    ...(options.includes('--deepspeed') ? [deepspeedStep] : []),
    ...(options.includes('--s3-server') ? [s3ServerStep] : []),
  ];

  const lines = [];
  if (await isComplete(steps, context, lines)) {
    for (const line of lines) console.log(line);
    saveState(cache, context.state);
    return 0;
  }
  return withLock(join(cache, 'setup.lock'), {
    onWait: (owner) => console.log(`  another set-up (process ${owner}) is running: waiting for it`),
    work: () => installMissing(steps, context),
  });
}

async function isComplete(steps, context, lines) {
  for (const step of steps) {
    try {
      const found = await step.find(context);
      if (!found) return false;
      lines.push(lineOf(step, found));
    } catch {
      // The step reports the reason when it runs under the lock.
      return false;
    }
  }
  return true;
}

async function installMissing(steps, context) {
  removeLeftovers(cache);
  for (const step of steps) {
    try {
      let found = await step.find(context);
      if (!found) {
        const start = performance.now();
        if (step !== nodeStep) console.log(`  ${step.name} …`);
        await step.make(context);
        found = await step.find(context);
        if (!found)
          throw new SetupError({
            problem: 'it was installed, but cannot be found',
            remedy: `remove ${cache} and run the set-up again`,
          });
        found.text += `, set up in ${((performance.now() - start) / 1000).toFixed(1)} s`;
      }
      console.log(lineOf(step, found));
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      saveState(cache, context.state);
      console.error(error.describe(step.name));
      return 1;
    }
  }
  saveState(cache, context.state);
  return 0;
}

const lineOf = (step, found) => `✓ ${step.name}: ${found.text.replaceAll(`${root}/`, '')}`;

/** What the system refuses because of how this machine is. Another error is this program's, and keeps its stack. */
const refusals = {
  EACCES: 'may not be written: install into a folder of your own, or run the set-up as its owner',
  EPERM: 'may not be written: install into a folder of your own, or run the set-up as its owner',
  EROFS: 'is on a read-only disk: install on another one',
  ENOSPC: 'is on a full disk: free some space, and run the set-up again',
  EDQUOT: 'has no disk quota left: free some space, and run the set-up again',
};

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  if (!Object.hasOwn(refusals, error.code ?? '')) throw error;
  console.error(`Set-up failed: ${error.path ?? cache} ${refusals[error.code]}`);
  return 1;
});
