/** Machines with a disk each, and one run between them in a store on S3. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bucket } from '../../../bench/support/s3-server.ts';
import { runStepOnce } from '../../../src/core/manifest.ts';
import type { RunRules } from '../../../src/core/remote/run-files.ts';
import { runUri } from '../../../src/core/remote/store-uri.ts';
import { openStore, pullRun, type StoredWork, withStoredRun } from '../../../src/core/remote/stored-run.ts';
import type { RunDirectory } from '../../../src/core/run-directory.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

export const never = new AbortController().signal;

/** Of a program with checkpoints, partial results and a file about its process. */
export const rules: RunRules = {
  stepFiles: () => ({
    isLocal: (path) => path === 'process.json',
    isForResuming: (path) => path.startsWith('checkpoints/') || path.endsWith('.part.jsonl'),
  }),
  isOfRun: (path) => !/^round-0\/.+\//.test(path) && path !== 'ledger/',
  isReadBySteps: () => true,
  syncedFolders: ['ledger'],
};

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

/** A step that leaves one small and one large file. */
export function step(run: RunDirectory, text: string, work: () => Promise<void> = async () => undefined) {
  const directory = join(run.root, 'round-0/merged');
  return runStepOnce({
    directory,
    step: 'merge',
    inputs: { text: text.split(':')[0] },
    work: async () => {
      await work();
      await writeFile(join(directory, 'config.json'), text);
      await writeFile(join(directory, 'model.safetensors'), text.repeat(200_000));
      return { outputs: ['config.json', 'model.safetensors'], metrics: {} };
    },
  });
}
