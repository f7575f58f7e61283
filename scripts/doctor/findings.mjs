import { existsSync, statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { addonStep } from '../setup/addon.mjs';
import { packagesStep } from '../setup/packages.mjs';
import { findOnPath, findPython, lastLines, runProgram } from '../setup/programs.mjs';
import { SetupError } from '../setup/setup-error.mjs';
import { readState } from '../setup/state.mjs';
import { temporalStep } from '../setup/temporal.mjs';
import { tensorflowStep } from '../setup/tensorflow.mjs';
import { versionIn } from '../setup/versions.mjs';
import { setUpCommand, thisProgram } from './commands.mjs';
import { sizeOf, sizeText } from './size.mjs';

/**
 * What was found, or what is wrong and how to fix it. `later`: set-up installs it.
 *
 * @typedef {{ name: string, state: 'ok' | 'later' | 'bad', text: string }} Finding
 */

const oldestPython = [3, 9];
const minimumFreeGigabytes = 5;
/** In bytes: a cache is there before anything is downloaded, with what set-up has found. */
const leastDownload = 1e6;
const setUp = `Run \`${setUpCommand}\``;

/**
 * What the README requires: Node, Python with pip, a C++ compiler and make.
 *
 * @returns {Promise<Finding[]>}
 */
export async function examinePrerequisites(context) {
  const tools = [
    ['C++ compiler', process.env.CXX ? [process.env.CXX] : ['g++', 'c++', 'clang++'], 'g++', 'gcc-c++'],
    ['make', ['make'], 'make', 'make'],
  ];
  // The addon is compiled once; whoever has it needs neither.
  const isCompiled = await isThere(addonStep, context);
  return [
    examineNode(),
    await examinePython(),
    ...tools.map(([name, programs, debian, fedora]) => {
      const file = findOnPath(...programs) ?? programs.find((program) => program.includes('/') && existsSync(program));
      if (file) return { name, state: 'ok', text: file };
      if (isCompiled)
        return { name, state: 'ok', text: 'not there; needed only to compile the TensorFlow addon again' };
      const remedy = `install it, for instance with \`apt-get install ${debian}\` or \`dnf install ${fedora}\``;
      return { name, state: 'bad', text: `${programs.join(', ')}: not on the PATH; ${remedy}` };
    }),
  ];
}

/**
 * What set-up installs: packages, the Temporal CLI, native TensorFlow and its addon, and whether it computes.
 *
 * @returns {Promise<Finding[]>}
 */
export async function examineInstallation(context) {
  const packages = await examineStep(packagesStep, context);
  const temporal = await examineStep(temporalStep, { ...context, state: {} });
  return [packages, temporal, ...(await examineTensorflow(context, packages.state === 'ok'))];
}

/** @returns {Finding[]} */
export function examineDisk({ root, cache }) {
  const { bavail, bsize } = statfsSync(process.cwd());
  const gigabytes = (bavail * bsize) / 1e9;
  const text = `${gigabytes.toFixed(1)} GB free in ${process.cwd()}`;
  const isEnough = gigabytes >= minimumFreeGigabytes;
  const disk = isEnough
    ? { name: 'Disk', state: 'ok', text }
    : { name: 'Disk', state: 'bad', text: `${text}: free at least ${minimumFreeGigabytes} GB` };
  const size = sizeOf(cache);
  if (size < leastDownload) return [disk];
  const where = `${sizeText(size)} in ${cache.replace(`${root}/`, '')}`;
  return [disk, { name: 'Downloads', state: 'ok', text: `${where}; \`${thisProgram} clean\` removes them` }];
}

/** With an older one nothing gets here. */
function examineNode() {
  return { name: 'Node', state: 'ok', text: `${process.versions.node} (${process.platform} ${process.arch})` };
}

async function examinePython() {
  const name = 'Python';
  try {
    const python = await findPython(oldestPython, 'pip');
    const { output } = await runProgram(python, ['--version']);
    return { name, state: 'ok', text: `${versionIn(output)} with pip (${python})` };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return { name, state: 'bad', text: `${error.message} (${error.tried.join('; ')}); ${error.remedy}` };
  }
}

/** Whether set-up would find what a step installs. */
async function examineStep(step, context, name = step.name) {
  try {
    const found = await step.find(context);
    if (found) return { name, state: 'ok', text: found.text.replaceAll(`${context.root}/`, '') };
    return { name, state: 'later', text: `not installed yet. ${setUp}` };
  } catch (error) {
    if (error instanceof SetupError) return { name, state: 'bad', text: `${error.message}. ${error.remedy}` };
    return { name, state: 'later', text: `not installed yet. ${setUp}` };
  }
}

async function isThere(step, context) {
  return Boolean(context.library) && (await examineStep(step, context)).state === 'ok';
}

/** The context of the checks below: the addon's step needs what the library's step has found. */
export async function withLibrary(context) {
  const gpu = readState(context.cache).gpu === true;
  const full = { ...context, gpu, gpuFolder: join(context.cache, 'tensorflow-gpu'), state: {} };
  // Each tells the next where it is.
  await examineStep(packagesStep, full);
  await examineStep(tensorflowStep, full);
  return full;
}

async function examineTensorflow(context, hasPackages) {
  const name = 'TensorFlow';
  if (context.library === undefined) return [await examineStep(tensorflowStep, context, name)];
  const findings = hasPackages ? await multiply(context) : [];
  if (findings[0]?.state === 'ok' || (await isThere(addonStep, context))) return findings;
  return [{ name, state: 'later', text: `its addon is not compiled yet. ${setUp}` }];
}

/** In another process: a broken native library can crash the process that loads it. */
async function multiply({ root, cache }) {
  const probe = join(root, 'cli/probe-tensorflow.ts');
  const tsx = createRequire(join(root, 'package.json')).resolve('tsx');
  const { ok, output } = await runProgram(process.execPath, ['--import', tsx, probe], { cwd: root, timeout: 120_000 });
  const line = output.split('\n').find((one) => one.startsWith('{"version"'));
  if (!ok || line === undefined) {
    return [{ name: 'TensorFlow', state: 'bad', text: `${lastLines(output, 3).replaceAll('\n', ' ')}. ${setUp}` }];
  }
  const { version, gpu, devices, product } = JSON.parse(line);
  const works = product === 11;
  const text = works ? `${version}, a matrix product was computed` : `${version}, but its result is wrong. ${setUp}`;
  return [{ name: 'TensorFlow', state: works ? 'ok' : 'bad', text }, examineGpu({ gpu, devices, cache })];
}

/** Computing on the CPU of a machine set up for a GPU is a fault: a round would take days. */
function examineGpu({ gpu, devices, cache }) {
  const name = 'GPU';
  if (gpu) return { name, state: 'ok', text: `yes, the product ran on it (${devices})` };
  if (readState(cache).gpu !== true) return { name, state: 'ok', text: 'none used; everything runs on the CPU' };
  const remedy = `See that \`nvidia-smi\` lists it and CUDA_VISIBLE_DEVICES does not hide it, or run \`${setUpCommand}\``;
  return { name, state: 'bad', text: `set up for one, but the product ran on the CPU. ${remedy}` };
}
