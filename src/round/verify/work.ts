/**
 * The files of the step `verify`, and its requests as work for the teacher.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hashValue } from '../../core/hash.ts';
import { joinInside } from '../../core/inside.ts';
import { readJson, readJsonLines } from '../../core/read-json.ts';
import { type RunDirectory, roundDirectory } from '../../core/run-directory.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { imageOf } from '../../generation/prompt.ts';
import {
  choiceFormat,
  languageOnlyPlaceholders,
  type VerificationRequest,
  verificationMessages,
  verificationRequest,
} from '../../generation/verification.ts';
import type { RawAnswer } from '../../teacher/call-log.ts';
import { readAllCalls } from '../../teacher/call-log.ts';
import { readPromptTemplate } from '../../teacher/prompt-template.ts';
import { createTeacherAsker, type TeacherAsker } from '../../teacher/request-asker.ts';
import { ledgerSource, type TeacherWork } from '../asking/work.ts';
import { poolImage, showsImages, withPool } from '../dataset-paths.ts';
import { readBlindPrompt } from '../prompt-file.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { connectTeacher, withoutStops } from '../teacher.ts';

/** All requests about the samples, one a line. */
export const verificationRequestsFile = 'requests.jsonl';
const openFile = 'open.jsonl';
const listFile = 'list.json';
const listSchema = z.object({ list: z.string().regex(/^[0-9a-f]{12}$/, 'is no hash') });

type Round = { run: RunDirectory; round: number };

/** The logs of calls, a folder for each list of requests. They are kept when the step's folder is replaced. */
const callsFolder = ({ run, round }: Round) => join(roundDirectory(run, round), 'verify_calls');

const requestsFileOf = ({ run, round }: Round) => join(stepDirectory(run, round, 'verify'), verificationRequestsFile);

/** Writes all requests about the samples, and the list of those without an answer, which will be sent. */
export async function writeVerificationRequests(place: Round, requests: readonly VerificationRequest[]): Promise<void> {
  const known = await verificationAnswers(place);
  const open = join(stepDirectory(place.run, place.round, 'verify'), openFile);
  const asked = requests.filter(({ id }) => !known.has(id));
  await writeJsonLines(open, asked);
  // Calls are logged by chunk, and chunks belong to one list.
  const list = hashValue(asked.map(({ id }) => id)).slice(0, 12);
  await writeJson(join(stepDirectory(place.run, place.round, 'verify'), listFile), { list });
  await writeJsonLines(requestsFileOf(place), requests);
}

export function readVerificationRequests(place: Round): Promise<VerificationRequest[]> {
  return readJsonLines(requestsFileOf(place), verificationRequest);
}

/** All answers of the round's verifications, by the id of the request. */
export async function verificationAnswers(place: Round): Promise<Map<string, RawAnswer>> {
  const answers = new Map<string, RawAnswer>();
  const folder = callsFolder(place);
  await place.run.stored?.sync(folder);
  for (const list of (await readdir(folder).catch(() => [])).sort()) {
    for (const [id, answer] of await readAllCalls(join(folder, list))) if (!answers.has(id)) answers.set(id, answer);
  }
  return answers;
}

/** The requests about the round's samples that have no answer. @throws InputError when they are not written yet */
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
    calls: joinInside(callsFolder(context), list, join(directory, listFile)),
    ledgerSource: (chunk) => ledgerSource(round, `verify/${list}`, chunk),
    withAsker: (requests, work) => withVerificationAsker(context, requests, work),
  };
}

/** The prompts for verification. @throws InputError when a file is not such a prompt */
export async function verificationTemplates({ config }: Pick<StepContext, 'config'>) {
  return {
    blind: await readBlindPrompt(config),
    language_only: await readPromptTemplate(config.verify.languageOnlyPrompt, languageOnlyPlaceholders),
  };
}

/** Gives the work a teacher that answers these questions about samples. */
async function withVerificationAsker<R>(
  context: StepContext,
  requests: readonly VerificationRequest[],
  work: (asker: TeacherAsker<VerificationRequest>) => Promise<R>,
): Promise<R> {
  const { config } = context;
  const { teacher, verify } = config;
  const templates = await verificationTemplates(context);
  const blind = requests.filter(({ kind }) => kind === 'blind').map(({ image_id }) => image_id);
  const images = await withPool(config, (coco) => coco.read(blind));
  return connectTeacher(context, (client) =>
    work(
      createTeacherAsker({
        client,
        storeAnswers: teacher.storeAnswers,
        settings: ({ kind, choices }) => ({
          ...withoutStops(teacher),
          temperature: verify.temperature,
          maximumTokens: templates[kind].maximumTokens,
          format: teacher.answerFormat === 'structured' ? choiceFormat(choices.length) : undefined,
        }),
        examples: () => 0,
        messages: (request) => verificationMessages(request, images, templates),
        // Only blind requests include the image: language-only ones test what the words alone give away.
        image: showsImages(config)
          ? (request) => (request.kind === 'blind' ? poolImage(config, imageOf(images, request)) : undefined)
          : undefined,
      }),
    ),
  );
}
