import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, runProgram } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * The npm packages, exactly as a lock says; their install scripts are not run. Those of a checkout are in package-lock.json.
 * Where npm has installed this project as a package, only TensorFlow's addon is missing, which is no plain dependency: npm
 * would run its install script, which downloads a library of its own.
 */
export const packagesStep = {
  name: 'npm packages',

  find(context) {
    const { folder, lock, name } = placeOf(context);
    context.packages = join(folder, 'node_modules');
    const wanted = Object.entries(JSON.parse(lock).packages).filter(([path, { optional }]) => path !== '' && !optional);
    const found = `${wanted.length} as in ${name}`;
    if (readText(stampFile(folder)) === hashOf(lock)) return { text: found };
    const installed = JSON.parse(readText(join(folder, 'node_modules/.package-lock.json')) ?? '{}').packages ?? {};
    return wanted.every(([path, { version }]) => installed[path]?.version === version) ? { text: found } : undefined;
  },

  async make(context) {
    const { folder, lock } = placeOf(context);
    if (!isCheckout(context)) writeProject(folder, lock);
    // `npm install` takes the lock's versions and hashes as `npm ci` does. But `npm ci` refuses a lock that lacks
    // other platforms' optional packages, as a lock does that was made where the registry has only some.
    const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    // npm passes its own path to its scripts, so that they run the same npm.
    const own = process.env.npm_execpath?.endsWith('.js') ? process.env.npm_execpath : undefined;
    const { ok, output } = await runProgram(own ? process.execPath : 'npm', own ? [own, ...args] : args, {
      cwd: folder,
    });
    if (!ok) {
      throw new SetupError({
        problem: 'the npm packages could not be installed',
        tried: [`npm ${args.join(' ')}: ${lastLines(output)}`],
        remedy: 'check the network and the npm registry setting, then run the set-up again',
      });
    }
    writeFileSync(stampFile(folder), hashOf(lock));
  },
};

/** Written by `npm run schema`: a package that npm makes of this project has no package-lock.json. */
export const addonLock = 'scripts/setup/addon-packages.lock.json';
export const addonPackage = '@tensorflow/tfjs-node-gpu';

const isCheckout = ({ root }) => existsSync(join(root, 'package-lock.json'));

/** Where the packages are installed, and by which lock. */
function placeOf(context) {
  const { root, cache } = context;
  const name = isCheckout(context) ? 'package-lock.json' : addonLock;
  return {
    folder: isCheckout(context) ? root : join(cache, 'npm'),
    name,
    lock: readFileSync(join(root, name), 'utf8'),
  };
}

/** Makes the folder a project that has this lock. */
export function writeProject(folder, lock) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { name, packages } = JSON.parse(lock);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true, ...packages[''] }));
  writeFileSync(join(folder, 'package-lock.json'), lock);
}

/** The part of a lock that a package needs, as a lock of its own. */
export function lockOf(name, lock) {
  const { packages } = lock;
  const paths = new Set();
  const add = (dependency, from) => {
    const path = nearest(dependency, from, packages);
    if (path === undefined || paths.has(path)) return;
    paths.add(path);
    const { dependencies = {}, optionalDependencies = {} } = packages[path];
    for (const one of Object.keys({ ...dependencies, ...optionalDependencies })) add(one, path);
  };
  add(name, '');
  const entries = [...paths].sort().map((path) => {
    const { dev: _, devOptional: _also, peer: _peer, ...entry } = packages[path];
    return [path, entry];
  });
  const dependencies = { [name]: packages[`node_modules/${name}`].version };
  const project = { name: 'mllm-dataengine-addon', lockfileVersion: 3, requires: true };
  return { ...project, packages: { '': { dependencies }, ...Object.fromEntries(entries) } };
}

/** As Node looks for it: in the package's own node_modules, then in those of the folders above. */
function nearest(name, from, packages) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path]) return path;
    if (folder === '') return undefined;
  }
}

/** Says by which lock a folder's packages were installed. */
export const stampFile = (folder) => join(folder, 'node_modules/.dataengine-lock-hash');

export const hashOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
