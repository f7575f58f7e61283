/** Where a run lies makes no difference to its steps: on this disk, or in a store of objects. */
import type { Config } from '../config/schema.ts';
import { isRemote, localPath } from '../core/remote/store-uri.ts';
import { openRunDirectory, type RunDirectory } from '../core/run-directory.ts';
import { freezeConfig, readFrozenConfig, withAbsolutePaths } from './frozen-config.ts';
import { renderScenes } from './render-scenes.ts';
import type { StepContext } from './step-context.ts';

/** A run at hand. */
export type RunAtHand = Pick<StepContext, 'config' | 'run' | 'signal'>;

export interface WorkInRun extends Pick<StepContext, 'signal' | 'onProgress'> {
  /** Folders of the steps that the work does. */
  owns?: (place: Pick<RunAtHand, 'config' | 'run'>) => string[];
}

/** Transfers of smaller files are over before anybody looks. */
const shownBytes = 50e6;

/**
 * Does work on a run that has begun.
 *
 * @param reference absolute path of its folder, or its URI
 * @throws InputError when there is no such run
 */
export async function inRun<R>(
  reference: string,
  { owns, signal, onProgress }: WorkInRun,
  work: (place: RunAtHand) => Promise<R>,
): Promise<R> {
  if (!isRemote(reference)) {
    const root = localPath(reference);
    return work({ config: await readFrozenConfig(root), run: { root }, signal });
  }
  const { withStoredRun } = await forStores();
  const transfers = tellTransfers(onProgress);
  return withStoredRun(
    reference,
    {
      signal,
      onTransfer: transfers.tell,
      owns: async (run) => owns?.({ config: await readFrozenConfig(run.root), run }) ?? [],
    },
    async (run, stopped) => {
      const config = await readFrozenConfig(run.root);
      // Each machine has the data on its own disk; what is drawn is drawn there.
      await renderScenes({ config, signal: stopped, onProgress });
      return transfers.quietly(() => work({ config, run, signal: stopped }));
    },
  );
}

/**
 * Begins a run, or goes on with the one of that name: freezes the config in its folder, then does the work.
 *
 * @throws InputError when the store can't be used
 */
export async function beginRun<R>(
  config: Config,
  name: string,
  { owns, signal, onProgress }: WorkInRun,
  work: (place: RunAtHand) => Promise<R>,
): Promise<R> {
  const freeze = async () => freezeConfig(config, name);
  if (config.store === undefined) {
    const { config: frozen, directory } = await freeze();
    return work({ config: frozen, run: directory, signal });
  }
  const { openStore, requireConditionalWrites, runUri, withStoredRun } = await forStores();
  const uri = runUri(config.store, name);
  await requireConditionalWrites(
    openStore(config.store, () => signal),
    `runs/${name}/conditional-writes`,
  );
  const here = withAbsolutePaths(config);
  const transfers = tellTransfers(onProgress);
  return withStoredRun(
    uri,
    { signal, onTransfer: transfers.tell, owns: async (run) => owns?.({ config: here, run }) ?? [] },
    async (run, stopped) => {
      const { config: frozen } = await freeze();
      return transfers.quietly(() => work({ config: frozen, run, signal: stopped }));
    },
    here,
  );
}

/** Does work on another run of the same runs' folder, or store. */
export async function inOtherRun<R>(
  { config, signal }: Pick<StepContext, 'config' | 'signal'>,
  name: string,
  work: (run: RunDirectory) => Promise<R>,
): Promise<R> {
  if (config.store === undefined) return work(openRunDirectory(config.runsDirectory, name));
  const { runUri, withStoredRun } = await forStores();
  return withStoredRun(runUri(config.store, name), { signal }, work);
}

/** Most runs are on a disk: the SDK of S3 takes a while to load. */
async function forStores() {
  const { requireConditionalWrites } = await import('../core/remote/s3-store.ts');
  return { requireConditionalWrites, ...(await import('../core/remote/stored-run.ts')) };
}

/** While a step is at work, its own progress is told, not that of what is sent meanwhile. */
function tellTransfers(onProgress: StepContext['onProgress']) {
  let quiet = false;
  return {
    tell: ({ bytes, size }: { bytes: number; size: number }) => {
      if (quiet || size < shownBytes) return;
      onProgress({ phase: 'MB to or from the store', step: Math.round(bytes / 1e6), steps: Math.round(size / 1e6) });
    },
    async quietly<R>(work: () => Promise<R>): Promise<R> {
      quiet = true;
      try {
        return await work();
      } finally {
        quiet = false;
      }
    },
  };
}
