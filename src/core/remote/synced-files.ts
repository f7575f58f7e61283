/**
 * Folders into which several machines write at the same time, each process into files of its own that only grow: the
 * calls to the teacher, the ledger. Of two states of such a file the longer one is the newer.
 */
import { readFile } from 'node:fs/promises';
import { joinInside } from '../inside.ts';
import { writeFileAtomically } from '../write-file.ts';
import { type CopyOfRun, folderName } from './run-copy.ts';
import { factsOf, filesIn } from './run-files.ts';

export interface SyncedFiles {
  /** Downloads what all machines have uploaded so far; from now on `upload` includes what grows here. */
  sync(folder: string, options?: { startingWith?: string }): Promise<void>;
  /** Uploads what has grown since the last time. */
  upload(): Promise<void>;
}

interface Synced {
  /** On this disk. */
  folder: string;
  /** In the store. */
  key: string;
  startingWith: string;
  /** Bytes of each file that the store has. */
  uploaded: Map<string, number>;
}

/** The synced folders of one activity; none at first. */
export function syncedFiles(copy: CopyOfRun): SyncedFiles {
  const { store, key: run } = copy;
  const all: Synced[] = [];
  return {
    async sync(folder, { startingWith = '' } = {}) {
      const key = `${run}/${folderName(copy, folder)}`;
      const uploaded = new Map<string, number>();
      for await (const object of store.list(`${key}/${startingWith}`)) {
        const name = object.key.slice(key.length + 1);
        uploaded.set(name, object.size);
        const file = joinInside(folder, name, `${store.uri}/${object.key}`);
        const here = await factsOf(file);
        if ((here?.size ?? -1) >= object.size) continue;
        const found = await store.read(object.key);
        if (found !== undefined) await writeFileAtomically(file, found.body);
      }
      const known = all.find((synced) => synced.key === key && synced.startingWith === startingWith);
      if (known === undefined) all.push({ folder, key, startingWith, uploaded });
      else known.uploaded = uploaded;
    },
    async upload() {
      for (const { folder, key, startingWith, uploaded } of all) {
        for (const name of await filesIn(folder)) {
          if (!name.startsWith(startingWith) || name.endsWith('.tmp')) continue;
          const here = await factsOf(joinInside(folder, name));
          if (here === undefined || here.size <= (uploaded.get(name) ?? 0)) continue;
          const body = await readFile(joinInside(folder, name));
          await store.write(`${key}/${name}`, body);
          uploaded.set(name, body.length);
        }
      }
    },
  };
}
