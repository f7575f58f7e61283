/**
 * The files of the step `verify`, and its requests as work for the teacher.
 */
import { join } from 'node:path';
import { readJsonLines } from '../../core/read-json.ts';
import { type RunDirectory, roundDirectory } from '../../core/run-directory.ts';
import { imageOf } from '../../generation/prompt.ts';
import {
  choiceFormat,
  languageOnlyPlaceholders,
  shortLanguageOnlyPlaceholders,
  templateOf,
  type VerificationRequest,
  type VerificationTemplates,
  verificationMessages,
  verificationRequest,
} from '../../generation/verification.ts';
import { readPromptTemplate } from '../../teacher/prompt-template.ts';
import type { RequestForm } from '../../teacher/request-asker.ts';
import { type KeptPlace, keptRequestsFile, keptWork } from '../asking/kept-answers.ts';
import { ledgerSource, type TeacherWork } from '../asking/work.ts';
import { poolImage, showsImages, withPool } from '../dataset-paths.ts';
import { readBlindPrompt, readShortBlindPrompt } from '../prompt-file.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { withoutStops } from '../teacher.ts';

type Round = { run: RunDirectory; round: number };

/** Where the requests about a round's samples are, and their answers. */
export function verificationPlace({ run, round }: Round): KeptPlace {
  return {
    run,
    directory: stepDirectory(run, round, 'verify'),
    calls: join(roundDirectory(run, round), 'verify_calls'),
  };
}

/** All requests about the round's samples. @throws InputError when they are not written yet */
export function readVerificationRequests(place: Round): Promise<VerificationRequest[]> {
  return readJsonLines(join(verificationPlace(place).directory, keptRequestsFile), verificationRequest);
}

/** The requests about the round's samples that have no answer. @throws InputError when they are not written yet */
export async function verificationWork(context: StepContext): Promise<TeacherWork<VerificationRequest>> {
  const { list, ...files } = await keptWork(verificationPlace(context));
  return {
    ...files,
    purpose: 'verify',
    schema: verificationRequest,
    ledgerSource: (chunk) => ledgerSource(context.round, `verify/${list}`, chunk),
    formOf: (requests) => formOf(context, requests),
  };
}

/**
 * The prompts for verification; those of short answers where some are asked for.
 *
 * @throws InputError when a file is not such a prompt
 */
export async function verificationTemplates(
  { config }: Pick<StepContext, 'config'>,
  { short }: { short: boolean },
): Promise<VerificationTemplates> {
  const { languageOnlyPrompt, shortLanguageOnlyPrompt } = config.verify;
  return {
    blind: await readBlindPrompt(config),
    language_only: await readPromptTemplate(languageOnlyPrompt, languageOnlyPlaceholders),
    ...(short && {
      short: {
        blind: await readShortBlindPrompt(config),
        language_only: await readPromptTemplate(shortLanguageOnlyPrompt, shortLanguageOnlyPlaceholders),
      },
    }),
  };
}

async function formOf(
  context: StepContext,
  requests: readonly VerificationRequest[],
): Promise<RequestForm<VerificationRequest>> {
  const { config } = context;
  const { teacher, verify } = config;
  const short = requests.some(({ expected_answer }) => expected_answer !== undefined);
  const templates = await verificationTemplates(context, { short });
  const blind = requests.filter(({ kind }) => kind === 'blind').map(({ image_id }) => image_id);
  const images = await withPool(config, (coco) => coco.read(blind));
  return {
    storeAnswers: teacher.storeAnswers,
    settings: (request) => ({
      ...withoutStops(teacher),
      temperature: verify.temperature,
      maximumTokens: templateOf(request, templates).maximumTokens,
      format: teacher.answerFormat === 'structured' ? choiceFormat(request.choices.length) : undefined,
    }),
    examples: () => 0,
    messages: (request) => verificationMessages(request, images, templates),
    // Only blind requests include the image: language-only ones test what the words alone give away.
    image: (request) =>
      request.kind === 'blind' && showsImages(config) ? poolImage(config, imageOf(images, request)) : undefined,
  };
}
