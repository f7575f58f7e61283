/**
 * The files of the step `generate`, and its requests as work for the teacher.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileExists, makeFolder } from '../../core/files.ts';
import { joinInside } from '../../core/inside.ts';
import { inputsHashIn } from '../../core/manifest.ts';
import { type RunDirectory, roundDirectory } from '../../core/run-directory.ts';
import { sampleFormat } from '../../generation/parse-answer.ts';
import { shortSampleFormat } from '../../generation/parse-short-answer.ts';
import { buildMessages, imageOf } from '../../generation/prompt.ts';
import { readQuestionTypes, withOtherTypes } from '../../generation/question-types.ts';
import { type GenerationRequest, generationRequest } from '../../generation/sample-requests.ts';
import type { RequestForm } from '../../teacher/request-asker.ts';
import { ledgerSource, type TeacherWork } from '../asking/work.ts';
import { poolImage, showsImages, withPool } from '../dataset-paths.ts';
import { questionTypesFile } from '../discover/type-lists.ts';
import { finishedStep } from '../finished-step.ts';
import { promptFile, readGenerationPrompt, readShortAnswerPrompt } from '../prompt-file.ts';
import { requestsFile } from '../sample/results.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { rawAnswersFile } from './results.ts';

export interface GenerationFolder {
  directory: string;
  /** The files of calls, beside the step's folder: what was paid for stays when that is replaced. */
  calls: string;
  /** Which teacher, prompt and requests the calls belong to. */
  list: string;
  planFile: string;
  requestsFile: string;
  resultFile: string;
}

const callsOf = (run: RunDirectory, round: number) => join(roundDirectory(run, round), 'generate_calls');
const listName = (inputsHash = 'none') => inputsHash.slice(0, 12);

/** Moves calls that an earlier version of this program has in the step's folder, before the step may clear that. */
export async function keepEarlierCalls({ run, round }: Pick<StepContext, 'run' | 'round'>): Promise<void> {
  const directory = stepDirectory(run, round, 'generate');
  const earlier = join(directory, 'calls');
  if (!(await fileExists(earlier))) return;
  const kept = callsOf(run, round);
  await makeFolder(kept);
  await rename(earlier, joinInside(kept, listName(await inputsHashIn(directory))));
}

/** @throws InputError when the requests are not there yet */
export async function generationFolder({ run, round }: Pick<StepContext, 'run' | 'round'>): Promise<GenerationFolder> {
  const sampled = await finishedStep(run, round, 'sample');
  const directory = stepDirectory(run, round, 'generate');
  await run.stored?.download(directory);
  const list = listName(await inputsHashIn(directory));
  return {
    directory,
    calls: joinInside(callsOf(run, round), list),
    list,
    planFile: join(directory, 'plan.json'),
    requestsFile: join(sampled.directory, requestsFile),
    resultFile: join(directory, rawAnswersFile),
  };
}

/** The requests for new samples. @throws InputError when they are not there yet */
export async function generationWork(context: StepContext): Promise<TeacherWork<GenerationRequest>> {
  const { resultFile: _, list, ...files } = await generationFolder(context);
  return {
    ...files,
    purpose: 'generate',
    sizeFile: join(files.calls, 'size.json'),
    schema: generationRequest,
    ledgerSource: (chunk) => ledgerSource(context.round, `generate/${list}`, chunk),
    formOf: (requests) => formOf(context, requests),
  };
}

async function formOf(
  { config, run, round }: StepContext,
  requests: readonly GenerationRequest[],
): Promise<RequestForm<GenerationRequest>> {
  const { teacher } = config;
  const listed = await readQuestionTypes(await questionTypesFile(config, run, round));
  // Questions of your own may have types in a column that no list explains.
  const isOwn = config.data.validation.questions !== undefined;
  const asked = requests.map(({ question_type }) => question_type);
  const questionTypes = isOwn ? withOtherTypes(listed, asked) : listed;
  const template = await readGenerationPrompt(config, await promptFile(config, run, round));
  const isShort = requests.some(({ short_answer }) => short_answer);
  const shortTemplate = isShort ? await readShortAnswerPrompt(config) : template;
  const formatOf = ({ short_answer }: GenerationRequest) => (short_answer ? shortSampleFormat : sampleFormat);
  const images = await withPool(config, (coco) => coco.read(requests.map(({ image_id }) => image_id)));
  return {
    storeAnswers: teacher.storeAnswers,
    settings: (request) => ({
      ...teacher,
      format: teacher.answerFormat === 'structured' ? formatOf(request) : undefined,
    }),
    examples: (request) => request.examples.length,
    messages: (request, dropped) => {
      const examples = request.examples.slice(0, request.examples.length - dropped);
      const image = imageOf(images, request);
      const ofForm = request.short_answer ? shortTemplate : template;
      return buildMessages({ request: { ...request, examples }, image, questionTypes, template: ofForm });
    },
    image: (request) => (showsImages(config) ? poolImage(config, imageOf(images, request)) : undefined),
  };
}
