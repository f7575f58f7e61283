/**
 * Where a run says who owns it.
 *
 * On a disk: `owners/<epoch>.json`, each made by a hard link, of which one writer makes the first; also on a shared disk. Whoever
 * has an epoch has lost the run as soon as the file of the next is there: looking for it takes no lock. `owner.json` is a copy of
 * the newest. In a store: `owner.json`, replaced on the condition that it is as it was read.
 */
import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { type Access, requireRunsAccess, requireStoreAccess } from '../../core/access.ts';
import type { Fence } from '../../core/fence.ts';
import { fileExists } from '../../core/files.ts';
import { joinInside } from '../../core/inside.ts';
import { parseJson, readJson } from '../../core/read-json.ts';
import type { ObjectStore } from '../../core/remote/object-store.ts';
import { refuseCopy } from '../../core/remote/run-claim.ts';
import { isRemote, localPath, splitRunUri } from '../../core/remote/store-uri.ts';
import { writeJson, writeJsonOnce } from '../../core/write-file.ts';
import { describeOwner, NotOwner, ownerSchema, type RunOwner } from './owner.ts';

export const ownerFile = 'owner.json';
export const ownersFolder = 'owners';

const recordSchema = z.object({
  schemaVersion: z.literal(1),
  /** Goes up by one with each owner. */
  epoch: z.int().positive(),
  /** Of this record alone. */
  id: z.string(),
  since: z.string(),
  owner: ownerSchema,
});
export type OwnerRecord = z.output<typeof recordSchema>;

export interface OwnerPlace {
  /** For messages. */
  file: string;
  /** The run's folder, where it is on this disk. */
  root?: string;
  /** Undefined for a run that nobody has owned. */
  read(): Promise<OwnerRecord | undefined>;
  /** @returns whether the owner has the epoch; false when another one was faster */
  claim(epoch: number, owner: RunOwner): Promise<boolean>;
  /** Of the owner with this epoch. */
  fence(epoch: number): Fence;
}

/** Older ones are removed: no process is stopped for so many owners and goes on. */
const keptEpochs = 50;
/** How long an owner in a store is trusted by what asks many times a second. */
const trustedMilliseconds = 2000;

/**
 * Opens a run's place.
 *
 * @param reference path of its folder, or its URI
 * @param starts whether the run may not be there yet
 * @returns undefined where there is no such run: whoever opens it is told so
 * @throws InputError when the run may not be touched, or it is named by the folder of its copy
 */
export async function openOwnerPlace(
  reference: string,
  { access, starts = false }: { access: Access; starts?: boolean },
): Promise<OwnerPlace | undefined> {
  if (isRemote(reference)) {
    requireStoreAccess(access, reference);
    const { openStore } = await import('../../core/remote/stored-run.ts');
    const { store: uri, run } = splitRunUri(reference);
    const store = openStore(uri);
    if (!starts && (await store.sizeOf(`runs/${run}/folder.json`)) === undefined) return undefined;
    return placeInStore(store, `runs/${run}/${ownerFile}`);
  }
  const root = resolve(localPath(reference));
  await requireRunsAccess(access, root);
  await refuseCopy(root);
  if (!starts && !(await fileExists(join(root, 'config.json')))) return undefined;
  return placeOnDisk(root);
}

function placeOnDisk(root: string): OwnerPlace {
  const fileOf = (epoch: number) => joinInside(join(root, ownersFolder), `${epoch}.json`);
  const place: OwnerPlace = {
    file: join(root, ownerFile),
    root,
    async read() {
      const newest = Math.max(0, ...(await epochsIn(root)));
      return newest === 0 ? undefined : readJson(fileOf(newest), recordSchema);
    },
    async claim(epoch, owner) {
      const record = recordOf(epoch, owner);
      if (!(await writeJsonOnce(fileOf(epoch), record))) return false;
      await copyNewest(place);
      const old = (await epochsIn(root)).filter((one) => one <= epoch - keptEpochs);
      await Promise.all(old.map((one) => rm(fileOf(one), { force: true })));
      return true;
    },
    fence: (epoch) => ({
      file: fileOf(epoch + 1),
      async require() {
        if (await fileExists(fileOf(epoch + 1))) throw lost(place.file, await place.read());
      },
    }),
  };
  return place;
}

/** A person looks at the copy. One who was stopped while writing it, and goes on, finds a later owner. */
async function copyNewest(place: OwnerPlace): Promise<void> {
  for (let copied = ''; ; ) {
    const newest = await place.read();
    if (newest === undefined || newest.id === copied) return;
    await writeJson(place.file, newest);
    copied = newest.id;
  }
}

async function epochsIn(root: string): Promise<number[]> {
  const names = await readdir(join(root, ownersFolder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.flatMap((name) => Number(/^(\d+)\.json$/.exec(name)?.[1] ?? Number.NaN)).filter(Number.isSafeInteger);
}

function placeInStore(store: ObjectStore, key: string): OwnerPlace {
  const file = `${store.uri}/${key}`;
  const readVersion = async () => {
    const object = await store.read(key, { mostBytes: 64 * 1024 });
    if (object === undefined) return undefined;
    return { record: parseJson(object.body.toString(), file, recordSchema), version: object.version };
  };
  const place: OwnerPlace = {
    file,
    read: async () => (await readVersion())?.record,
    async claim(epoch, owner) {
      const before = await readVersion();
      if ((before?.record.epoch ?? 0) !== epoch - 1) return false;
      const body = `${JSON.stringify(recordOf(epoch, owner), null, 2)}\n`;
      const only = before === undefined ? ('if absent' as const) : { version: before.version };
      return (await store.write(key, body, { only, contentType: 'application/json' })) !== undefined;
    },
    fence(epoch) {
      let lookedAt = Number.NEGATIVE_INFINITY;
      return {
        async require({ often = false } = {}) {
          if (often && performance.now() - lookedAt < trustedMilliseconds) return;
          const record = await place.read();
          if (record?.epoch !== epoch) throw lost(file, record);
          lookedAt = performance.now();
        },
      };
    },
  };
  return place;
}

function recordOf(epoch: number, owner: RunOwner): OwnerRecord {
  return { schemaVersion: 1, epoch, id: randomUUID(), since: new Date().toISOString(), owner };
}

function lost(file: string, record: OwnerRecord | undefined): NotOwner {
  return new NotOwner({
    file,
    problem: `the run was taken over by ${record === undefined ? 'somebody' : describeOwner(record.owner)}`,
    remedy: 'What was done so far is kept. Nothing more is written into the run from here',
  });
}
