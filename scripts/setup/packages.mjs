import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, runProgram } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

/** The npm packages, exactly as package-lock.json says; their install scripts are not run. */
export const packagesStep = {
  name: 'npm packages',

  find({ root }) {
    const lock = readFileSync(join(root, 'package-lock.json'));
    const wanted = Object.entries(JSON.parse(lock).packages).filter(([path, { optional }]) => path !== '' && !optional);
    const found = `${wanted.length} as in package-lock.json`;
    if (readText(stampFile(root)) === hashOf(lock)) return { text: found };
    const installed = JSON.parse(readText(join(root, 'node_modules/.package-lock.json')) ?? '{}').packages ?? {};
    return wanted.every(([path, { version }]) => installed[path]?.version === version) ? { text: found } : undefined;
  },

  async make({ root }) {
    // `npm install` takes the lock's versions and hashes as `npm ci` does. But `npm ci` refuses a lock that lacks
    // other platforms' optional packages, as a lock does that was made where the registry has only some.
    const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    // npm passes its own path to its scripts, so that they run the same npm.
    const own = process.env.npm_execpath?.endsWith('.js') ? process.env.npm_execpath : undefined;
    const { ok, output } = await runProgram(own ? process.execPath : 'npm', own ? [own, ...args] : args, { cwd: root });
    if (!ok) {
      throw new SetupError({
        problem: 'the npm packages could not be installed',
        tried: [`npm ${args.join(' ')}: ${lastLines(output)}`],
        remedy: 'check the network and the npm registry setting, then run the set-up again',
      });
    }
    writeFileSync(stampFile(root), hashOf(readFileSync(join(root, 'package-lock.json'))));
  },
};

const stampFile = (root) => join(root, 'node_modules/.dataengine-lock-hash');

const hashOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
