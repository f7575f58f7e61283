/** What the store has of a folder of a run: the object `<folder>/folder.json` beside the run's other folders. */
import { z } from 'zod';
import { InputError } from '../input-error.ts';
import { innerPath, sha256Text } from '../inside.ts';
import { parseJson } from '../read-json.ts';
import type { ObjectStore } from './object-store.ts';

const schemaVersion = 1;
const recordSchema = z.object({
  schemaVersion: z.literal(schemaVersion),
  /** started: what an attempt can resume from. finished: all that the step's manifest stands for. */
  state: z.enum(['started', 'finished']),
  /** Of the step; absent for the files of the run itself, and until the step has written it. */
  inputsHash: z.string().optional(),
  /** Who wrote this, and when. Each attempt has an id of its own. */
  attempt: z.string(),
  host: z.string(),
  at: z.string(),
  /** Path relative to the run's folder → content. */
  files: z.record(innerPath, z.object({ sha256: sha256Text, size: z.int().nonnegative() })),
});

export type FolderRecord = z.output<typeof recordSchema>;
export type RecordedFiles = FolderRecord['files'];

/** A record as it was read. A write depends on its version. */
export interface ReadRecord {
  record: FolderRecord;
  version: string;
}

/** Hundreds of thousands of files. */
const MOST_BYTES = 64 * 1024 * 1024;

/** The name of a record's object in its folder. */
export const recordName = 'folder.json';

/** Undefined when there is none. @throws InputError for one that a newer version of this program wrote */
export async function readRecord(store: ObjectStore, key: string): Promise<ReadRecord | undefined> {
  const object = await store.read(key, { mostBytes: MOST_BYTES });
  if (object === undefined) return undefined;
  const file = `${store.uri}/${key}`;
  const { schemaVersion: found } = parseJson(
    object.body.toString(),
    file,
    z.looseObject({ schemaVersion: z.number() }),
  );
  if (found > schemaVersion) {
    throw new InputError({
      file,
      field: 'schemaVersion',
      problem: `is ${found}, and this version of the program supports ${schemaVersion}: a newer one wrote it`,
      remedy: 'Update this worker, or continue the run with workers of the newer version',
    });
  }
  return { record: parseJson(object.body.toString(), file, recordSchema), version: object.version };
}

/** @returns the version; undefined when another attempt has written in the meantime */
export function writeRecord(
  store: ObjectStore,
  key: string,
  record: Omit<FolderRecord, 'schemaVersion'>,
  before: Pick<ReadRecord, 'version'> | undefined,
): Promise<string | undefined> {
  const only = before === undefined ? ('if absent' as const) : { version: before.version };
  const body = `${JSON.stringify({ schemaVersion, ...record }, null, 2)}\n`;
  return store.write(key, body, { only, contentType: 'application/json' });
}
