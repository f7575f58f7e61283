/**
 * Lists of requests whose answers are kept outside of the step's folder, by the request's id: what was answered once is never
 * asked again, whatever happens to the step.
 */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { hashValue } from '../../core/hash.ts';
import { isBelow, joinInside } from '../../core/inside.ts';
import { readJson, readJsonLines } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { type RawAnswer, readAllCalls, type TeacherRequest } from '../../teacher/call-log.ts';
import type { TeacherWork } from './work.ts';

/** Where a step's requests and their answers are. */
export interface KeptPlace {
  run: RunDirectory;
  /** The step's folder. */
  directory: string;
  /** The logs of calls, a folder for each list of requests. They are kept when the step's folder is replaced. */
  calls: string;
}

/** All requests, one a line. */
export const keptRequestsFile = 'requests.jsonl';
const openFile = 'open.jsonl';
const listFile = 'list.json';
const listSchema = z.object({ list: z.string().regex(/^[0-9a-f]{12}$/, 'is no hash') });

/** Writes all requests, and the list of those without an answer, which will be sent. */
export async function writeKeptRequests(place: KeptPlace, requests: readonly TeacherRequest[]): Promise<void> {
  const { directory } = place;
  const known = await keptAnswers(place);
  const asked = requests.filter(({ id }) => !known.has(id));
  await writeJsonLines(join(directory, openFile), asked);
  // Calls are logged by chunk, and chunks belong to one list.
  const list = hashValue(asked.map(({ id }) => id)).slice(0, 12);
  await writeJson(join(directory, listFile), { list });
  await writeJsonLines(join(directory, keptRequestsFile), requests);
}

/** The answers to all requests that were ever sent from here, by the id of the request. */
export async function keptAnswers({ run, calls }: KeptPlace): Promise<Map<string, RawAnswer>> {
  const answers = new Map<string, RawAnswer>();
  await run.stored?.sync(calls);
  for (const list of (await readdir(calls).catch(() => [])).sort()) {
    for (const [id, answer] of await readAllCalls(join(calls, list))) if (!answers.has(id)) answers.set(id, answer);
  }
  return answers;
}

/** The ids of the requests that had no answer when they were written: what the step itself has had answered. */
export async function openRequestIds({ directory }: KeptPlace): Promise<string[]> {
  return (await readJsonLines(join(directory, openFile), z.object({ id: z.string() }))).map(({ id }) => id);
}

/** The requests that have no answer, as work for the teacher. @throws InputError when they are not written yet */
export async function keptWork({
  run,
  directory,
  calls,
}: KeptPlace): Promise<Pick<TeacherWork, 'directory' | 'requestsFile' | 'planFile' | 'calls'> & { list: string }> {
  // The folder of an evaluation outside of the run is on this disk alone.
  if (isBelow(resolve(directory), [run.root])) await run.stored?.download(directory);
  const { list } = await readJson(join(directory, listFile), listSchema);
  return {
    list,
    directory,
    requestsFile: join(directory, openFile),
    planFile: join(directory, 'plan.json'),
    calls: joinInside(calls, list, join(directory, listFile)),
  };
}
