import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { addonPackage } from './packages.mjs';
import { findOnPath, fingerprint, lastLines, runProgram } from './programs.mjs';
import { SetupError } from './setup-error.mjs';

const packagesFolder = ({ root, packages = join(root, 'node_modules') }) => packages;
const packageFolder = (context) => join(packagesFolder(context), addonPackage);
const stampFile = (context) => join(packageFolder(context), 'deps/built-for.json');

/** The bridge between Node and native TensorFlow, compiled here from the npm package's own source. */
export const addonStep = {
  name: 'TensorFlow addon',

  find(context) {
    const stamp = readStamp(context);
    if (stamp?.builtFor !== builtFor(context) || !findBinding(context)) return undefined;
    context.state.tensorflowVersion = stamp.tensorflowVersion;
    return { text: `works with TensorFlow ${stamp.tensorflowVersion}` };
  },

  async make(context) {
    rmSync(stampFile(context), { force: true });
    linkLibraries(context);
    await build(context);
    const tensorflowVersion = await verify(context);
    writeFileSync(stampFile(context), JSON.stringify({ tensorflowVersion, builtFor: builtFor(context) }));
  },
};

function builtFor({ library }) {
  const files = [library.main, library.framework].map((file) => `${file} ${fingerprint(file)}`);
  return [process.arch, ...files].join(' ');
}

function readStamp(context) {
  try {
    return JSON.parse(readFileSync(stampFile(context), 'utf8'));
  } catch {
    return undefined;
  }
}

function findBinding(context) {
  const folder = join(packageFolder(context), 'lib');
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .map((name) => join(folder, name, 'tfjs_binding.node'))
    .find((file) => existsSync(file));
}

/** Points the package's deps folder at the library. Each link is replaced atomically: a program may be using it. */
function linkLibraries(context) {
  const { library } = context;
  const deps = join(packageFolder(context), 'deps');
  mkdirSync(join(deps, 'lib'), { recursive: true });
  const links = {
    include: library.include,
    'lib/libtensorflow.so': library.main,
    'lib/libtensorflow.so.2': library.main,
    [`lib/${basename(library.main)}`]: library.main,
    'lib/libtensorflow_framework.so': library.framework,
    'lib/libtensorflow_framework.so.2': library.framework,
    // TensorFlow looks for CUDA's libraries beside the name that it was loaded by, which is in this folder.
    ...Object.fromEntries(library.cuda.map((file) => [`lib/${basename(file)}`, file])),
  };
  for (const [name, target] of Object.entries(links)) {
    const link = join(deps, name);
    symlinkSync(target, `${link}.new`);
    if (existsSync(link) && !isLinkOrFile(link)) rmSync(link, { recursive: true });
    renameSync(`${link}.new`, link);
  }
}

// The npm package's own download leaves a real folder where the link to the headers goes.
function isLinkOrFile(path) {
  return realpathSync(path) !== join(realpathSync(dirname(path)), basename(path));
}

async function build(context) {
  const missing = [
    [process.env.CXX ? [process.env.CXX] : ['g++', 'c++', 'clang++'], 'a C++ compiler'],
    [['make'], 'make'],
  ].filter(([names]) => !findOnPath(...names) && !names.some((name) => existsSync(name)));
  if (missing.length > 0) {
    throw new SetupError({
      problem: `the addon is compiled here, and ${missing.map(([, what]) => what).join(' and ')} is not installed`,
      tried: missing.map(([names]) => `${names.join(', ')} on the PATH: not there`),
      remedy: 'install them, for instance with `apt-get install g++ make` or `dnf install gcc-c++ make`',
    });
  }
  const program = join(packagesFolder(context), '.bin/node-pre-gyp');
  const installation = dirname(dirname(realpathSync(process.execPath)));
  // With Node's headers beside Node, none are downloaded.
  const headers = existsSync(join(installation, 'include/node')) ? [`--nodedir=${installation}`] : [];
  const { ok, output } = await runProgram(program, ['install', '--build-from-source', ...headers], {
    cwd: packageFolder(context),
    env: { ...process.env, ...nodeGypOf(installation), JOBS: 'max' },
  });
  if (ok && findBinding(context)) return;
  throw new SetupError({
    problem: 'the addon did not compile',
    tried: [`node-pre-gyp install --build-from-source: ${lastLines(output, 15)}`],
    remedy: "see the compiler's message above; a C++17 compiler (GCC 9, Clang 10 or newer), make and Python are needed",
  });
}

// node-pre-gyp finds npm's own node-gyp only when npm started us.
function nodeGypOf(installation) {
  if (process.env.npm_config_node_gyp) return {};
  const npm = findOnPath('npm');
  const candidates = [join(installation, 'lib/node_modules/npm'), npm && dirname(dirname(realpathSync(npm)))].filter(
    Boolean,
  );
  const file = candidates
    .map((folder) => join(folder, 'node_modules/node-gyp/bin/node-gyp.js'))
    .find((path) => existsSync(path));
  return file ? { npm_config_node_gyp: file } : {};
}

/**
 * Loads the addon in another process, since a wrong library can crash it, and runs one op.
 * Returns the version that the library reports.
 */
async function verify(context) {
  const program = `
    const tf = require('${addonPackage}');
    const [product] = tf.matMul([[1, 2]], [[3], [4]]).dataSync();
    console.log('TensorFlow', tf.backend().binding.TF_Version, 'says that 1x3 + 2x4 is', product);`;
  const { ok, output } = await runProgram(process.execPath, ['--eval', program], {
    cwd: dirname(packagesFolder(context)),
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  const version = /TensorFlow (\S+) says that 1x3 \+ 2x4 is 11$/m.exec(output)?.[1];
  if (ok && version) return version;
  throw new SetupError({
    problem: `the addon was built, but does not work with the TensorFlow at ${dirname(context.library.main)}`,
    tried: [`a matrix product in a new process: ${lastLines(output)}`],
    remedy:
      'its library may need a newer system (glibc 2.27 or later) or a processor with AVX; name another TensorFlow with DATAENGINE_TENSORFLOW',
  });
}
