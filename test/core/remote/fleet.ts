/** Machines with a disk each, and one run between them in a store on S3. */
import { join } from 'node:path';
import { bucket } from '../../../bench/support/s3-server.ts';
import { runUri } from '../../../src/core/remote/store-uri.ts';
import { openStore, pullRun, type StoredWork, withStoredRun } from '../../../src/core/remote/stored-run.ts';
import type { RunDirectory } from '../../../src/core/run-directory.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { never, rules } from './example-program.ts';

/** A run of its own for a test, and machines that work on it. */
export async function fleet() {
  const folder = await temporaryFolder();
  const store = `s3://${bucket}/${folder.split('/').at(-1)?.toLowerCase()}`;
  const uri = runUri(store, 'demo');
  const machine = (name: string) => {
    const places = { runsDirectory: join(folder, name, 'runs'), cacheDirectory: join(folder, name, 'cache') };
    const root = join(places.runsDirectory, 'demo');
    return {
      root,
      file: (path: string) => join(root, path),
      work: <R>(
        work: (run: RunDirectory, signal: AbortSignal) => Promise<R>,
        { owns = [], signal = never, starts = true }: { owns?: string[]; signal?: AbortSignal; starts?: boolean } = {},
      ) => {
        const ownFolders = async (run: RunDirectory) => owns.map((name) => join(run.root, name));
        const options: StoredWork = { rules, signal, starts, owns: ownFolders };
        return withStoredRun(uri, options, work, places);
      },
      pull: () => pullRun(uri, { rules, signal: never, weights: false }, places),
    };
  };
  return { store: openStore(store), a: machine('a'), b: machine('b') };
}
