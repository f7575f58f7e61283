/**
 * The step `verify`: asks the teacher its own questions again.
 */
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { hashValue } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce, type StepToRun, startStep } from '../../core/manifest.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import { isRejection, isShortAnswer } from '../../generation/filters.ts';
import { parserVersion } from '../../generation/parse-answer.ts';
import { answerKeeper } from '../../generation/refine.ts';
import { readRequests } from '../../generation/sample-requests.ts';
import { countVerdicts } from '../../generation/verdicts.ts';
import { type SampleToVerify, type VerificationRequest, verificationRequests } from '../../generation/verification.ts';
import { readRawAnswers } from '../../teacher/call-log.ts';
import { askInThisProcess } from '../asking/in-this-process.ts';
import { keptAnswers, keptRequestsFile, writeKeptRequests } from '../asking/kept-answers.ts';
import { type GenerationPlan, planWork } from '../asking/plan.ts';
import { ownDescriptions } from '../dataset-paths.ts';
import { finishedStep, requireRoundOf } from '../finished-step.ts';
import { rawAnswersFile } from '../generate/results.ts';
import { keepRules } from '../refine/keep-rules.ts';
import { lengthCheck } from '../refine/sample-length.ts';
import { requestsFile } from '../sample/results.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { stepDirectory } from '../step-directory.ts';
import { refuseUnknownPrice, shownImages, teacherIdentity, withoutStops } from '../teacher.ts';
import type { VerifyOutcome } from './results.ts';
import { verifiedFile } from './results.ts';
import { readVerificationRequests, verificationPlace, verificationTemplates, verificationWork } from './work.ts';

/** Whether the config asks for the step at all. */
export function verifies({ verify }: Config): boolean {
  return verify.blindAnswers + verify.languageOnlyAnswers > 0;
}

/** @throws InputError where the step would have to compare short answers */
export function refuseShortAnswers({ run }: Pick<StepContext, 'run'>, count = 0): void {
  if (count === 0) return;
  throw new InputError({
    file: join(run.root, 'config.json'),
    field: 'verify',
    problem: 'is for questions with choices, and short answers are asked for too',
    remedy: 'Set verify.blindAnswers and verify.languageOnlyAnswers to 0',
  });
}

/**
 * Asks the teacher its own questions again, in this process, as far as they pass the filters. The logs of calls are kept
 * in `round-<k>/verify_calls/`, outside of the step's folder, so that nothing is paid for twice.
 *
 * @throws OutOfBudget when the budget is used up, unless `teacher.budget.whenReached` says to finish then
 */
export async function verify(context: StepContext): Promise<VerifyOutcome> {
  const plan = await startVerification(context);
  if (!plan.done) await askInThisProcess(context, await verificationWork(context), plan);
  return finishVerification(context);
}

/**
 * Makes the requests about the samples that pass the filters, and plans and estimates them. Requests that any earlier
 * attempt has answered are not sent again.
 */
export async function startVerification(context: StepContext): Promise<GenerationPlan> {
  requireRoundOf('verify', context.round);
  await refuseUnknownPrice(context);
  const toAsk = await requestsAboutSamples(context);
  const started = await startStep(verificationStep(context, toAsk));
  const done = 'manifest' in started;
  const written = await readVerificationRequests(context).catch(() => undefined);
  if (!done && written === undefined) await writeKeptRequests(verificationPlace(context), toAsk);
  return planWork(context, await verificationWork(context), { done });
}

/** The step, and all that its result depends on. */
function verificationStep(
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
  refuseShortAnswers(context, sampled.manifest.metrics.shortAnswers);
  const answers = await readRawAnswers(join(generated.directory, rawAnswersFile), requests);
  const keep = answerKeeper(await keepRules(context, answers, await lengthCheck(config)));
  const samples = answers.flatMap((answer): SampleToVerify[] => {
    const parsed = keep(answer);
    if (isRejection(parsed) || isShortAnswer(parsed)) return [];
    const { request_id, image_id, question_type: questionType } = answer;
    return [{ ...parsed, request_id, image_id, questionType }];
  });
  const { blindAnswers, languageOnlyAnswers, temperature } = config.verify;
  const { blind, language_only } = await verificationTemplates(context);
  return verificationRequests({
    samples,
    blindAnswers,
    languageOnlyAnswers,
    identity: {
      teacher: teacherIdentity(withoutStops(config.teacher)),
      images: shownImages(config),
      ...(await ownDescriptions(config)),
      temperature,
      prompts: [blind.hash, language_only.hash],
    },
    promptVersions: { blind: blind.version, language_only: language_only.version },
    seed: `${config.seed}/round-${round}`,
  });
}

/** Counts the teacher's answers about each sample. The logs of calls stay. */
export async function finishVerification(context: StepContext): Promise<VerifyOutcome> {
  const requests = await readVerificationRequests(context);
  const step = verificationStep(context, requests);
  const done = await runStepOnce({
    ...step,
    work: async () => {
      const known = await keptAnswers(verificationPlace(context));
      const answers = new Map(
        requests.flatMap(({ id }) => {
          const answer = known.get(id);
          return answer === undefined ? [] : [[id, answer] as const];
        }),
      );
      const verdicts = countVerdicts(requests, answers);
      await writeJsonLines(join(step.directory, verifiedFile), verdicts);
      const sum = (key: 'promptTokens' | 'completionTokens') =>
        [...answers.values()].reduce((total, { usage }) => total + usage[key], 0);
      return {
        outputs: [verifiedFile, keptRequestsFile],
        metrics: {
          samples: new Set(requests.map(({ request_id }) => request_id)).size,
          answers: answers.size,
          unanswered: requests.length - answers.size,
          promptTokens: sum('promptTokens'),
          completionTokens: sum('completionTokens'),
        },
      };
    },
  });
  const { samples = 0, answers = 0, unanswered = 0, promptTokens = 0, completionTokens = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), samples, answers, unanswered, promptTokens, completionTokens };
}
