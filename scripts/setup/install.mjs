/** The steps of the set-up: each looks for what it needs, and installs what is missing. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonStep } from './addon.mjs';
import { deepspeedStep } from './deepspeed.mjs';
import { withLock } from './lock.mjs';
import { describeKeptByNpm } from './npm-options.mjs';
import { packagesStep } from './packages.mjs';
import { pythonStep, torchStep } from './python.mjs';
import { s3ServerStep } from './s3-server.mjs';
import { SetupError } from './setup-error.mjs';
import { readState, saveState } from './state.mjs';
import { temporalStep } from './temporal.mjs';
import { tensorflowStep } from './tensorflow.mjs';
import { fitted } from './terminal-text.mjs';
import { removeLeftovers } from './wheels.mjs';

/** With an older one nothing gets here. */
const nodeStep = { name: 'Node', find: () => ({ text: process.versions.node }) };

const known = ['--gpu', '--cpu', '--python', '--torch', '--deepspeed', '--s3-server'];
/** Those of the demo, which the set-up comes before: it may take minutes. */
const knownToDemo = ['--quick', '--seed', '--keep', '--config', '--folder', '--images'];

/** Each step looks for what it needs (`find`, quick) and installs it (`make`, under the lock) when it is missing. */
const standardSteps = [nodeStep, packagesStep, temporalStep, tensorflowStep, addonStep];

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const cache = join(root, '.cache');

const print = (text) => console.log(fitted(text, process.stdout));
const complain = (text) => console.error(fitted(text, process.stderr));

async function main(options) {
  const unknown = options.find((option) => !known.includes(option));
  if (unknown) {
    const choice = `${known.slice(0, -1).join(', ')} or ${known.at(-1)}`;
    complain(`There is no option ${unknown}: use ${choice}, or none`);
    return 2;
  }
  const names = process.env.npm_lifecycle_event === 'demo' ? knownToDemo : known;
  const kept = describeKeptByNpm(
    names.map((option) => option.slice(2)),
    process.env,
  );
  if (kept !== undefined) {
    complain(kept);
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
    for (const line of lines) print(line);
    saveState(cache, context.state);
    return 0;
  }
  return withLock(join(cache, 'setup.lock'), {
    onWait: (owner) => print(`  another set-up (process ${owner}) is running: waiting for it`),
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
        print(`  ${step.name} …`);
        await step.make(context);
        found = await step.find(context);
        if (!found)
          throw new SetupError({
            problem: 'it was installed, but cannot be found',
            remedy: `remove ${cache} and run the set-up again`,
          });
        found.text += `, set up in ${((performance.now() - start) / 1000).toFixed(1)} s`;
      }
      print(lineOf(step, found));
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      saveState(cache, context.state);
      complain(error.describe(step.name));
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
  complain(`Set-up failed: ${error.path ?? cache} ${refusals[error.code]}`);
  return 1;
});
