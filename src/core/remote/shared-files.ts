/**
 * Folders into which several machines write at once, each process into files of its own that only grow: the calls to the
 * teacher, the ledger. Of two states of such a file the longer one is the newer.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../write-file.ts';
import { type CopyOfRun, folderName } from './run-copy.ts';
import { factsOf, filesIn } from './run-files.ts';

export interface SharedFiles {
  /** Has what all machines have sent so far, and sends from now on what grows here. */
  share(folder: string, options?: { startingWith?: string; of?: string }): Promise<void>;
  /** Sends what has grown since the last time. */
  send(): Promise<void>;
}

interface Shared {
  /** On this disk. */
  folder: string;
  /** In the store. */
  key: string;
  startingWith: string;
  /** Bytes of each file that the store has. */
  sent: Map<string, number>;
}

/** What one activity shares with others. */
export function shareFiles(copy: CopyOfRun): SharedFiles {
  const { store, key: run } = copy;
  const all: Shared[] = [];
  const send = async () => {
    for (const { folder, key, startingWith, sent } of all) {
      for (const name of await filesIn(folder)) {
        if (!name.startsWith(startingWith) || name.endsWith('.tmp')) continue;
        const here = await factsOf(join(folder, name));
        if (here === undefined || here.size <= (sent.get(name) ?? 0)) continue;
        const body = await readFile(join(folder, name));
        await store.write(`${key}/${name}`, body);
        sent.set(name, body.length);
      }
    }
  };
  return {
    async share(folder, { startingWith = '', of = '' } = {}) {
      const key = [run, folderName(copy, folder), of].filter((part) => part !== '').join('/');
      const sent = new Map<string, number>();
      for await (const object of store.list(`${key}/${startingWith}`)) {
        const name = object.key.slice(key.length + 1);
        sent.set(name, object.size);
        const here = await factsOf(join(folder, name));
        if ((here?.size ?? -1) >= object.size) continue;
        const found = await store.read(object.key);
        if (found !== undefined) await writeFileAtomically(join(folder, name), found.body);
      }
      const known = all.find((shared) => shared.key === key && shared.startingWith === startingWith);
      if (known === undefined) all.push({ folder, key, startingWith, sent });
      else known.sent = sent;
    },
    send,
  };
}
