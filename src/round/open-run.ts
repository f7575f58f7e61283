/** Opens runs for work on them. Steps don't see whether a run is a folder on this disk or in an object store. */
import { resolve } from 'node:path';
import { pathsIn } from '../config/config-paths.ts';
import { type Config, configSchema } from '../config/schema.ts';
import { type Access, configRoot, requirePathAccess, requireRunsAccess, requireStoreAccess } from '../core/access.ts';
import { withFence } from '../core/fence.ts';
import { fieldPath } from '../core/input-error.ts';
import { refuseCopy } from '../core/remote/run-claim.ts';
import { isRemote, localPath, runUri } from '../core/remote/store-uri.ts';
import { openRunDirectory, type RunDirectory } from '../core/run-directory.ts';
import { findTeacher } from '../teacher/providers/index.ts';
import { prepareDataSources } from './data-sources.ts';
import { freezeConfig, readFrozenConfig, withAbsolutePaths } from './frozen-config.ts';
import { openOwnerPlace } from './owner/owner-place.ts';
import type { StepContext } from './step-context.ts';
import { storeRules } from './store-rules.ts';

/** A run that is open for work: its frozen config, its folder on this disk, and what stops the work. */
export type OpenRun = Pick<StepContext, 'config' | 'run' | 'signal' | 'extensions' | 'access'>;

/** What a program passes on to work on a run. */
export interface RunWork extends Pick<StepContext, 'signal' | 'onProgress' | 'extensions' | 'access'> {
  /** The folders that the work writes. */
  owns?: (place: Pick<OpenRun, 'config' | 'run'>) => string[];
  /** Of the run's owner, for whom the work is done; nothing is written once there is a later one. Default: not looked at. */
  epoch?: number | undefined;
}

/** Progress of smaller transfers is not reported: they end before anybody looks. */
const reportedBytes = 50e6;

/**
 * Works on a run that was started before.
 *
 * @param reference absolute path of its folder, or its URI
 * @throws InputError when there is no such run, it may not be touched, or it is named by the folder of its copy
 */
export async function withRun<R>(reference: string, given: RunWork, work: (run: OpenRun) => Promise<R>): Promise<R> {
  return withFence(await fenceOf(reference, given), () => openRun(reference, given, work));
}

async function fenceOf(reference: string, { access, epoch }: RunWork) {
  if (epoch === undefined) return undefined;
  return (await openOwnerPlace(reference, { access, starts: true }))?.fence(epoch);
}

async function openRun<R>(
  reference: string,
  { owns, signal, onProgress, extensions, access }: RunWork,
  work: (run: OpenRun) => Promise<R>,
): Promise<R> {
  if (!isRemote(reference)) {
    const root = localPath(reference);
    await requireRunsAccess(access, root);
    await refuseCopy(root);
    const config = { ...(await readFrozenConfig(root, access)), ...cacheOf(access) };
    await requireConfigPaths(access, config);
    return work({ config, run: { root }, signal, extensions, access });
  }
  requireStoreAccess(access, reference);
  const { withStoredRun } = await loadStores();
  const places = placesOf(access);
  const transfers = transferReporter(onProgress);
  return withStoredRun(
    reference,
    {
      rules: storeRules,
      signal,
      onTransfer: transfers.report,
      owns: async (run) => owns?.({ config: await readFrozenConfig(run.root, access), run }) ?? [],
    },
    async (run, stopped) => {
      const config = { ...(await readFrozenConfig(run.root, access)), ...places };
      // A bucket's writer wrote it. What a data source makes is made below the data root.
      await requireConfigPaths(access, config);
      // Each machine has the data on its own disk: what a data source makes is made on each.
      await prepareDataSources({ config, extensions, signal: stopped, onProgress });
      return transfers.silenced(() => work({ config, run, signal: stopped, extensions, access }));
    },
    { ...placesWithoutSettings, ...places },
  );
}

/** Of a run in a store that a person opened by its address. */
const placesWithoutSettings = { runsDirectory: 'runs', cacheDirectory: '.cache' };

/**
 * Checks all paths of a run's config: somebody wrote it who may choose among what the worker has, and nothing else. The cache
 * is the worker's own, a secret's file is bound to hosts, and what is named in the data root stays there by the schema.
 *
 * @throws InputError naming the field whose path is in none of the worker's folders
 */
async function requireConfigPaths(access: Access, config: Config): Promise<void> {
  if (access === undefined) return;
  for (const { kind, keys, path } of pathsIn(configSchema, config)) {
    if (kind === 'cache' || kind === 'secrets' || kind === 'the data root') continue;
    await requirePathAccess(access, kind, { path, field: fieldPath(keys) });
  }
}

/**
 * Where runs and caches are on this machine: the worker says so, not the record of a run in a bucket, which others write.
 */
function placesOf(access: Access): Pick<Config, 'runsDirectory' | 'cacheDirectory'> | undefined {
  const [runsDirectory] = access?.runs ?? [];
  return access && runsDirectory !== undefined ? { runsDirectory, cacheDirectory: access.cache } : undefined;
}

/** Of a run on this machine, whose config would otherwise name any folder. */
function cacheOf(access: Access): Partial<Pick<Config, 'cacheDirectory'>> {
  return access ? { cacheDirectory: access.cache } : {};
}

/**
 * Starts a run, or resumes the one of that name: freezes the config in its folder, then does the work.
 *
 * @throws InputError when the store can't be used or may not be touched, or the config's teacher is not there
 */
export async function withNewRun<R>(
  config: Config,
  name: string,
  given: RunWork,
  work: (run: OpenRun) => Promise<R>,
): Promise<R> {
  const fence = await fenceOf(newRunReference(config, name), given);
  return withFence(fence, () => startRun(config, name, given, work));
}

/** How a run of this name will be opened. @throws InputError when the name can't be a folder's */
export function newRunReference(
  { store, runsDirectory }: Pick<Config, 'store' | 'runsDirectory'>,
  name: string,
): string {
  const { root } = openRunDirectory(resolve(runsDirectory), name);
  return store === undefined ? root : runUri(store, name);
}

/**
 * What can be refused of a run before anything is written: otherwise a misspelled provider would be noticed only after a finetune.
 *
 * @returns where runs and caches are on this machine
 * @throws InputError when the store or a path may not be touched, or the config's teacher is not there
 */
export async function checkNewRun(
  config: Config,
  { extensions, access }: Pick<RunWork, 'extensions' | 'access'>,
): Promise<Partial<Pick<Config, 'runsDirectory' | 'cacheDirectory'>>> {
  findTeacher(config.teacher, extensions.teacherProviders);
  const places = config.store === undefined ? cacheOf(access) : placesOf(access);
  await requireConfigPaths(access, { ...config, ...places });
  if (config.store !== undefined) requireStoreAccess(access, config.store);
  return places ?? {};
}

/** Work that does not own a run leaves its config to the owner. */
async function isOthers(reference: string, { access, epoch }: RunWork): Promise<boolean> {
  if (epoch !== undefined) return false;
  const owner = (await (await openOwnerPlace(reference, { access }))?.read())?.owner;
  return owner !== undefined && owner.kind !== 'nobody';
}

async function startRun<R>(
  config: Config,
  name: string,
  given: RunWork,
  work: (run: OpenRun) => Promise<R>,
): Promise<R> {
  const { owns, signal, onProgress, extensions, access } = given;
  const places = await checkNewRun(config, given);
  if (config.store === undefined) {
    await refuseCopy(openRunDirectory(resolve(config.runsDirectory), name).root);
    const keeps = { isOthers: await isOthers(newRunReference(config, name), given), access };
    const { config: frozen, directory } = await freezeConfig(config, name, keeps);
    return work({ config: { ...frozen, ...places }, run: directory, signal, extensions, access });
  }
  const { openStore, requireConditionalWrites, withStoredRun } = await loadStores();
  const uri = runUri(config.store, name);
  await requireConditionalWrites(
    openStore(config.store, () => signal),
    `runs/${name}/conditional-writes`,
  );
  const here = withAbsolutePaths({ ...config, ...places }, configRoot(access));
  const transfers = transferReporter(onProgress);
  return withStoredRun(
    uri,
    {
      rules: storeRules,
      starts: true,
      signal,
      onTransfer: transfers.report,
      owns: async (run) => owns?.({ config: here, run }) ?? [],
    },
    async (run, stopped) => {
      const keeps = { runsDirectory: here.runsDirectory, isOthers: await isOthers(uri, given), access };
      const { config: frozen } = await freezeConfig(config, name, keeps);
      return transfers.silenced(() =>
        work({ config: { ...frozen, ...places }, run, signal: stopped, extensions, access }),
      );
    },
    here,
  );
}

/** Works on another run of the same folder of runs, or of the same store. */
export async function withOtherRun<R>(
  {
    config,
    signal,
    access,
  }: { config: Pick<Config, 'store' | 'runsDirectory' | 'cacheDirectory'> } & Pick<StepContext, 'signal' | 'access'>,
  name: string,
  work: (run: RunDirectory) => Promise<R>,
): Promise<R> {
  if (config.store === undefined) {
    await requireRunsAccess(access, config.runsDirectory);
    const run = openRunDirectory(config.runsDirectory, name);
    await refuseCopy(run.root);
    return work(run);
  }
  requireStoreAccess(access, config.store);
  const { withStoredRun } = await loadStores();
  return withStoredRun(runUri(config.store, name), { rules: storeRules, signal }, work, {
    ...config,
    ...placesOf(access),
  });
}

/** Only for runs in a store: the SDK of S3 takes a while to load. */
async function loadStores() {
  const { requireConditionalWrites } = await import('../core/remote/s3-store.ts');
  return { requireConditionalWrites, ...(await import('../core/remote/stored-run.ts')) };
}

/** Reports transfers, but not while a step works: then its own progress is reported, not that of uploads beside it. */
function transferReporter(onProgress: StepContext['onProgress']) {
  let silent = false;
  return {
    report: ({ bytes, size }: { bytes: number; size: number }) => {
      if (silent || size < reportedBytes) return;
      onProgress({ phase: 'MB to or from the store', step: Math.round(bytes / 1e6), steps: Math.round(size / 1e6) });
    },
    async silenced<R>(work: () => Promise<R>): Promise<R> {
      silent = true;
      try {
        return await work();
      } finally {
        silent = false;
      }
    },
  };
}
