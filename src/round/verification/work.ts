import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hashValue } from '../../core/hash.ts';
import { readJson, readJsonLines } from '../../core/read-json.ts';
import { type RunDirectory, roundDirectory } from '../../core/run-directory.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { type VerificationRequest, verificationRequest } from '../../generation/verification.ts';
import { readAllCalls } from '../../teacher/call-log.ts';
import type { RawAnswer } from '../../teacher/raw-answers.ts';
import { ledgerSource } from '../generation/folder.ts';
import type { TeacherWork } from '../generation/work.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { withVerificationAsker } from './asker.ts';

/** Everything that is to be known, one request a line. */
export const verificationRequestsFile = 'requests.jsonl';
const openFile = 'open.jsonl';
const listFile = 'list.json';
const listSchema = z.object({ list: z.string() });

type Round = { run: RunDirectory; round: number };

/** Calls of all lists of requests, each list in a folder of its own: they outlive the step's folder. */
const callsFolder = ({ run, round }: Round) => join(roundDirectory(run, round), 'verify_calls');

const requestsFileOf = ({ run, round }: Round) => join(stepDirectory(run, round, 'verify'), verificationRequestsFile);

/** Writes down what is to be known, and what of it no call has answered yet, which is what will be asked. */
export async function writeVerificationRequests(place: Round, requests: readonly VerificationRequest[]): Promise<void> {
  const known = await verificationAnswers(place);
  const open = join(stepDirectory(place.run, place.round, 'verify'), openFile);
  const asked = requests.filter(({ id }) => !known.has(id));
  await writeJsonLines(open, asked);
  // Calls are filed by chunk, and chunks are those of one list.
  const list = hashValue(asked.map(({ id }) => id)).slice(0, 12);
  await writeJson(join(stepDirectory(place.run, place.round, 'verify'), listFile), { list });
  await writeJsonLines(requestsFileOf(place), requests);
}

export function readVerificationRequests(place: Round): Promise<VerificationRequest[]> {
  return readJsonLines(requestsFileOf(place), verificationRequest);
}

/** All answers that any call of the round got, by the id of the request. */
export async function verificationAnswers(place: Round): Promise<Map<string, RawAnswer>> {
  const answers = new Map<string, RawAnswer>();
  const folder = callsFolder(place);
  await place.run.stored?.sync(folder);
  for (const list of (await readdir(folder).catch(() => [])).sort()) {
    for (const [id, answer] of await readAllCalls(join(folder, list))) if (!answers.has(id)) answers.set(id, answer);
  }
  return answers;
}

/** The questions about the round's samples that have no answer. @throws InputError when they are not written yet */
export async function verificationWork(context: StepContext): Promise<TeacherWork<VerificationRequest>> {
  const { run, round } = context;
  const directory = stepDirectory(run, round, 'verify');
  await run.stored?.download(directory);
  const requestsFile = join(directory, openFile);
  const { list } = await readJson(join(directory, listFile), listSchema);
  return {
    purpose: 'verify',
    directory,
    requestsFile,
    schema: verificationRequest,
    planFile: join(directory, 'plan.json'),
    calls: join(callsFolder(context), list),
    ledgerSource: (chunk) => ledgerSource(round, `verify/${list}`, chunk),
    withAsker: (requests, work) => withVerificationAsker(context, requests, work),
  };
}
