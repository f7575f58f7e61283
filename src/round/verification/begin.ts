import { join } from 'node:path';
import { hashValue } from '../../core/hash.ts';
import { beginStep, type StepToRun } from '../../core/manifest.ts';
import { isRejection, parserVersion } from '../../generation/parse-answer.ts';
import { answerKeeper } from '../../generation/refine.ts';
import { readRequests } from '../../generation/sample-requests.ts';
import { type SampleToVerify, type VerificationRequest, verificationRequests } from '../../generation/verification.ts';
import { readRawAnswers } from '../../teacher/raw-answers.ts';
import { finishedStep } from '../finished-step.ts';
import { rawAnswersFile } from '../generation/folder.ts';
import { type GenerationPlan, planWork } from '../generation/plan.ts';
import { keepRules } from '../keep-rules.ts';
import { refuseUnknownPrice } from '../refuse-unknown-price.ts';
import { requireDataRound } from '../require-data-round.ts';
import { requestsFile } from '../sample.ts';
import type { StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { teacherIdentity } from '../teacher.ts';
import { verificationTemplates } from './asker.ts';
import { readVerificationRequests, verificationWork, writeVerificationRequests } from './work.ts';

/**
 * Finds out what to ask about the samples that the free filters leave, and what asking it will cost. What was answered
 * before, in any attempt, is not asked again.
 */
export async function beginVerification(context: StepContext): Promise<GenerationPlan> {
  const { config, round } = context;
  requireDataRound(round, 'verify');
  await refuseUnknownPrice(config);
  const toAsk = await requestsAboutSamples(context);
  const begun = await beginStep(verificationStep(context, toAsk));
  const done = 'manifest' in begun;
  const written = await readVerificationRequests(context).catch(() => undefined);
  if (!done && written === undefined) await writeVerificationRequests(context, toAsk);
  return planWork(context, await verificationWork(context), { done });
}

/** The step, and all that its result depends on. */
export function verificationStep(
  { run, round }: Pick<StepContext, 'run' | 'round'>,
  toAsk: readonly VerificationRequest[],
): StepToRun {
  return {
    directory: stepDirectory(run, round, 'verify'),
    step: 'verify',
    inputs: { requests: hashValue(toAsk.map(({ id }) => id)), parser: parserVersion },
    inSeveralCalls: true,
  };
}

async function requestsAboutSamples(context: StepContext): Promise<VerificationRequest[]> {
  const { config, run, round } = context;
  const sampled = await finishedStep(run, round, 'sample');
  const generated = await finishedStep(run, round, 'generate');
  const requests = await readRequests(join(sampled.directory, requestsFile));
  const answers = await readRawAnswers(join(generated.directory, rawAnswersFile), requests);
  const keep = answerKeeper(await keepRules(context, answers));
  const samples = answers.flatMap((answer): SampleToVerify[] => {
    const parsed = keep(answer);
    const { request_id, image_id, question_type } = answer;
    return isRejection(parsed) ? [] : [{ ...parsed, request_id, image_id, question_type }];
  });
  const { blindAnswers, languageOnlyAnswers, temperature } = config.verify;
  const { blind, language_only } = await verificationTemplates(context);
  return verificationRequests({
    samples,
    blindAnswers,
    languageOnlyAnswers,
    identity: { teacher: teacherIdentity(config.teacher), temperature, prompts: [blind.hash, language_only.hash] },
    promptVersions: { blind: blind.version, language_only: language_only.version },
    seed: `${config.seed}/round-${round}`,
  });
}
