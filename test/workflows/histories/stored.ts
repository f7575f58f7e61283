/**
 * The stored histories: one gzip file of JSON each, as `temporal workflow show --output json` writes it.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { writeFileAtomically } from '../../../src/core/write-file.ts';

type History = Parameters<typeof historyToJSON>[0];

export const historiesFolder = import.meta.dirname;
const ending = '.json.gz';

export async function writeHistory(name: string, history: History): Promise<void> {
  const json = JSON.stringify(JSON.parse(historyToJSON(history), withoutMachine));
  await writeFileAtomically(join(historiesFolder, `${name}${ending}`), gzipSync(json, { level: 9 }));
}

/** Where it was made is of no interest. */
function withoutMachine(key: string, value: unknown): unknown {
  if (key === 'stackTrace') return undefined;
  return key === 'identity' ? 'worker' : value;
}

/** Names of the stored histories, without the ending. */
export async function historyNames(): Promise<string[]> {
  const files = await readdir(historiesFolder);
  return files
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length))
    .sort();
}

/** A history as parsed JSON, which the SDK's replay takes as it is. */
export async function readHistory(name: string): Promise<StoredHistory> {
  return JSON.parse(gunzipSync(await readFile(join(historiesFolder, `${name}${ending}`))).toString('utf8'));
}

/** What the tests look at. */
export interface StoredHistory {
  events: {
    eventType: string;
    activityTaskScheduledEventAttributes?: { activityType: { name: string } };
    workflowExecutionStartedEventAttributes?: { workflowId: string; workflowType: { name: string } };
    workflowExecutionUpdateAcceptedEventAttributes?: { acceptedRequest: { input: { name: string } } };
    workflowExecutionSignaledEventAttributes?: { signalName: string };
  }[];
}
