/**
 * The step `verify`: asks the teacher its own questions again.
 */
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { hashValue } from '../../core/hash.ts';
import { InputError } from '../../core/input-error.ts';
import { runStepOnce, type StepToRun, startStep } from '../../core/manifest.ts';
import { writeJsonLines } from '../../core/write-file.ts';
import { withInstruction } from '../../datasets/question-text.ts';
import { isRightScore } from '../../evaluation/bad-cases.ts';
import { metricOf } from '../../evaluation/metrics/index.ts';
import { isRejection, isShortAnswer } from '../../generation/filters.ts';
import { parserVersion } from '../../generation/parse-answer.ts';
import { answerKeeper, answersTo } from '../../generation/refine.ts';
import { readRequests } from '../../generation/sample-requests.ts';
import { countVerdicts } from '../../generation/verdicts.ts';
import { type SampleToVerify, type VerificationRequest, verificationRequests } from '../../generation/verification.ts';
import { readRawAnswers } from '../../teacher/call-log.ts';
import { askInThisProcess } from '../asking/ask-chunks.ts';
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

/** @throws InputError where the step would have to compare short answers by a metric that asks a teacher itself */
export function refuseJudgedAnswers({ config, run }: Pick<StepContext, 'config' | 'run'>, count = 0): void {
  if (count === 0 || config.data.validation.questions?.metric !== 'judge') return;
  throw new InputError({
    file: join(run.root, 'config.json'),
    field: 'verify',
    problem: 'compares short answers by the metric of data.validation, and judge is none that compares',
    remedy: 'Set verify.blindAnswers and verify.languageOnlyAnswers to 0, or take another metric',
  });
}

/** What the comparison of short answers depends on. */
function metricSettings({ data }: Config): Record<string, unknown> {
  const { metric, tolerance, fields } = data.validation.questions ?? {};
  return { metric, tolerance, fields };
}

/** Whether two short answers are the same by the metric of the validation questions, which the samples are for. */
function sameAnswer({ data }: Config): (answer: string, expected: string) => boolean {
  const { metric = 'exact-match', ...settings } = data.validation.questions ?? {};
  const { score, problem } = metricOf(metric);
  return (answer, expected) => {
    // Metrics of several people's answers: all of them have given this one.
    const references = problem?.([expected]) === undefined ? [expected] : Array<string>(10).fill(expected);
    const [main = 0] = Object.values(score(answer, references, settings));
    return isRightScore(main);
  };
}

/**
 * Asks the teacher its own questions again, in this process, as far as they pass the filters. The logs of calls are kept
 * in `round-<k>/verify_calls/`, outside of the step's folder, so that nothing is paid for twice.
 *
 * @throws OutOfBudget when the budget is used up, unless `teacher.budget.whenReached` says to finish then
 */
export async function verify(context: StepContext): Promise<VerifyOutcome> {
  const plan = await startVerification(context);
  if (!plan.done) await askInThisProcess(context, verificationWork, plan);
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
  { config, run, round }: Pick<StepContext, 'config' | 'run' | 'round'>,
  toAsk: readonly VerificationRequest[],
): StepToRun {
  const isShort = toAsk.some(({ expected_answer }) => expected_answer !== undefined);
  return {
    directory: stepDirectory(run, round, 'verify'),
    step: 'verify',
    inputs: {
      requests: hashValue(toAsk.map(({ id }) => id)),
      parser: parserVersion,
      ...(isShort && metricSettings(config)),
    },
    inSeveralCalls: true,
  };
}

async function requestsAboutSamples(context: StepContext): Promise<VerificationRequest[]> {
  const { config, run, round } = context;
  const sampled = await finishedStep(run, round, 'sample');
  const generated = await finishedStep(run, round, 'generate');
  const requests = await readRequests(join(sampled.directory, requestsFile));
  refuseJudgedAnswers(context, sampled.manifest.metrics.shortAnswers);
  const raw = await readRawAnswers(join(generated.directory, rawAnswersFile), requests);
  const answers = answersTo(requests, raw);
  const { instruction } = config.data.validation.questions ?? {};
  const keep = answerKeeper(await keepRules(context, answers, await lengthCheck(config)));
  const samples = answers.flatMap((answer): SampleToVerify[] => {
    const parsed = keep(answer);
    if (isRejection(parsed)) return [];
    const { request_id, image_id, question_type: questionType } = answer;
    const common = { request_id, image_id, questionType };
    if (!isShortAnswer(parsed)) return [{ ...parsed, ...common }];
    return [{ ...common, question: withInstruction(parsed.question, instruction), answer: parsed.answer }];
  });
  const { blindAnswers, languageOnlyAnswers, temperature } = config.verify;
  const descriptions = await ownDescriptions(config);
  const short = samples.some((one) => 'answer' in one);
  const { short: shortPrompts, ...prompts } = await verificationTemplates(context, { short });
  const identity = (of: typeof prompts) => ({
    teacher: teacherIdentity(withoutStops(config.teacher)),
    images: shownImages(config),
    ...descriptions,
    temperature,
    prompts: [of.blind.hash, of.language_only.hash],
  });
  const versions = (of: typeof prompts) => ({ blind: of.blind.version, language_only: of.language_only.version });
  return verificationRequests({
    samples,
    blindAnswers,
    languageOnlyAnswers,
    identity: identity(prompts),
    promptVersions: versions(prompts),
    short: shortPrompts && { identity: identity(shortPrompts), promptVersions: versions(shortPrompts) },
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
      const verdicts = countVerdicts(requests, answers, sameAnswer(context.config));
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
