import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cudaWheels, tensorflowWheels } from './pins.mjs';
import { SetupError } from './setup-error.mjs';
import { unpackWheels } from './wheels.mjs';

const variable = 'DATAENGINE_TENSORFLOW';
const main = ['libtensorflow_cc.so.2', 'libtensorflow.so.2'];
const framework = 'libtensorflow_framework.so.2';

/** Native TensorFlow: the C++ library and its headers. */
export const tensorflowStep = {
  name: 'Native TensorFlow',

  find(context) {
    const named = process.env[variable];
    const folder = named ? resolve(named) : cacheFolder(context);
    const library = openLibrary(folder);
    if (!library) {
      if (named)
        throw new SetupError({
          problem: `${variable} names ${folder}, which lacks ${whatIsNeeded}`,
          remedy: `name another folder, or unset ${variable}`,
        });
      return undefined;
    }
    Object.assign(context.state, { tensorflow: folder, gpu: context.gpu });
    context.library = library;
    const origin = named ? `named by ${variable}` : context.gpu ? 'with CUDA, from PyPI wheels' : 'from a PyPI wheel';
    return { text: `${folder} (${origin})` };
  },

  async make(context) {
    const kind = context.gpu ? 'gpu' : 'cpu';
    const wheel = process.platform === 'linux' ? tensorflowWheels[kind][process.arch] : undefined;
    const remedy = `give a folder that has ${whatIsNeeded} as ${variable}, for instance the \`tensorflow\` folder of an installed TensorFlow`;
    const before = [`${variable}: not set`, `${cacheFolder(context)}: not there`];
    if (!wheel) {
      const tried = [...before, `PyPI wheel: none is pinned for ${process.platform} ${process.arch}, ${kind}`];
      throw new SetupError({ problem: 'native TensorFlow could not be installed', tried, remedy });
    }
    try {
      await unpackWheels({
        folder: context.gpu ? context.gpuFolder : cacheFolder(context),
        wheels: context.gpu ? [wheel, ...cudaWheels] : [wheel],
        // TensorFlow looks for CUDA's libraries beside its own folder, so both keep theirs.
        strip: context.gpu ? '' : 'tensorflow/',
        wanted: ['tensorflow/include/', `tensorflow/${main[0]}`, `tensorflow/${framework}`, 'nvidia/'],
        bytes: context.gpu ? 12e9 : 2e9,
      });
    } catch (error) {
      if (!(error instanceof SetupError) || error.isFinal) throw error;
      throw new SetupError({
        problem: error.message,
        tried: [...before, ...error.tried],
        remedy: `${error.remedy}; or ${remedy}`,
      });
    }
  },
};

const whatIsNeeded = `include/ and ${main[0]} with ${framework}`;

function cacheFolder({ cache, gpu, gpuFolder }) {
  return gpu ? join(gpuFolder, 'tensorflow') : join(cache, 'tensorflow');
}

/**
 * What a folder holds, laid out as in a wheel or as in TensorFlow's own C library archive (`include`, `lib`);
 * undefined when something is missing.
 */
function openLibrary(folder) {
  const include = join(folder, 'include');
  for (const libraries of [folder, join(folder, 'lib')]) {
    const name = main.find((candidate) => existsSync(join(libraries, candidate)));
    if (name && existsSync(include) && existsSync(join(libraries, framework))) {
      return {
        include,
        main: join(libraries, name),
        framework: join(libraries, framework),
        cuda: findCudaLibraries(join(folder, '../nvidia')),
      };
    }
  }
  return undefined;
}

/** nvidia/<library>/lib/*.so*, as pip's CUDA packages lay them out. */
function findCudaLibraries(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => join(folder, name, 'lib'))
    .filter((libraries) => existsSync(libraries))
    .flatMap((libraries) =>
      readdirSync(libraries)
        .filter((name) => name.includes('.so'))
        .map((name) => join(libraries, name)),
    );
}
