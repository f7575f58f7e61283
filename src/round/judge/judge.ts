/**
 * The step `judge`: the teacher scores the written answers of the sets with the metric of that name. It runs when the model has
 * answered, before the evaluation is joined.
 */
import { join } from 'node:path';
import { hashValue } from '../../core/hash.ts';
import { runStepOnce, type StepToRun, startStep } from '../../core/manifest.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { emptyRecord } from '../../core/records.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import type { AnsweredQuestion } from '../../evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../../evaluation/benchmarks/index.ts';
import { type JudgedSet, type JudgeFigures, joinJudged } from '../../evaluation/judge/judge-figures.ts';
import {
  type JudgePlan,
  type JudgeRequest,
  judgeRequest,
  planJudging,
  readJudgedScore,
} from '../../evaluation/judge/judge-requests.ts';
import { rankAnswers } from '../../evaluation/rank-answers.ts';
import { readLedger } from '../../teacher/ledger.ts';
import { limitedBudget, OutOfBudget } from '../../teacher/spending.ts';
import { TeacherError } from '../../teacher/teacher-error.ts';
import type { EvaluationAnswer } from '../../trainer/job-files.ts';
import { askInThisProcess } from '../asking/ask-chunks.ts';
import {
  type KeptPlace,
  keptAnswers,
  keptRequestsFile,
  openRequestIds,
  writeKeptRequests,
} from '../asking/kept-answers.ts';
import { type GenerationPlan, planWork } from '../asking/plan.ts';
import { readSetAnswers } from '../evaluate/set-answers.ts';
import { type EvaluationSet, evaluationSets, extractedImagesFolder, readEvaluationSet } from '../evaluation-sets.ts';
import { outcomeOf, type StepContext } from '../step-context.ts';
import { countedPrice, refuseUnknownPrice, teacherIdentity, teacherName, withoutStops } from '../teacher.ts';
import { figuresFile, type JudgeOutcome, judgedFile, type judgedSchema } from './results.ts';
import { isJudged, judgePlace, judgeTools, judgeWork } from './work.ts';

/** Must be raised whenever the same replies lead to other scores. */
const judgingVersion = 1;

/**
 * Has the teacher judge the round's written answers, in this process.
 *
 * @throws OutOfBudget when the budget is used up, unless `teacher.budget.whenReached` says to finish then
 */
export async function judge(context: StepContext): Promise<JudgeOutcome> {
  const plan = await startJudging(context);
  if (!plan.done) await askInThisProcess(context, judgeWork, plan);
  return finishJudging(context);
}

/** Makes the requests about the round's answers, and plans and estimates them. What was ever judged is not asked again. */
export async function startJudging(context: StepContext): Promise<GenerationPlan> {
  return start(context, judgePlace(context), await plansOfRound(context));
}

/** Computes the scores. @throws TeacherError when no answer could be judged */
export async function finishJudging(context: StepContext): Promise<JudgeOutcome> {
  return finish(context, judgePlace(context), await plansOfRound(context));
}

/**
 * The same of one set's answers, outside of a round.
 *
 * @param directory for the requests and the scores
 */
export async function judgeSet(
  context: StepContext,
  directory: string,
  set: EvaluationSet,
  answered: readonly AnsweredQuestion[],
): Promise<JudgedSet> {
  const place = { ...judgePlace(context), directory };
  const plan = await planOf(context, set, answered);
  const work = await start(context, place, [plan]);
  if (!work.done) await askInThisProcess(context, (served) => judgeWork(served, place), work);
  await finish(context, place, [plan]);
  return joinedOf(context, plan, await scoresOf(place));
}

async function start(context: StepContext, place: KeptPlace, plans: readonly JudgePlan[]): Promise<GenerationPlan> {
  await refuseUnknownPrice(context);
  const started = await startStep(judgingStep(context, place, plans));
  const done = 'manifest' in started;
  const written = await readJsonLines(join(place.directory, keptRequestsFile), judgeRequest).catch(() => undefined);
  if (!done && written === undefined) await writeKeptRequests(place, requestsOf(plans));
  return planWork(context, await judgeWork(context, place), { done });
}

async function finish(context: StepContext, place: KeptPlace, plans: readonly JudgePlan[]): Promise<JudgeOutcome> {
  const step = judgingStep(context, place, plans);
  const done = await runStepOnce({
    ...step,
    work: async () => {
      const answers = await keptAnswers(place);
      const scoreOf = await scoresOf(place);
      const figures: Record<string, JudgeFigures> = emptyRecord();
      const lines: (typeof judgedSchema)['_output'][] = [];
      for (const plan of plans) {
        const { set } = plan;
        const judged = joinedOf(context, plan, scoreOf);
        figures[set] = judged.figures;
        lines.push(...[...judged.scores].map(([question_id, score]) => ({ set, question_id, score })));
      }
      if (lines.length === 0 && plans.some(({ scored }) => scored.length > 0)) {
        await refuseEmptyBudget(context, answers);
        throw new TeacherError('The teacher gave no score for any answer', { retryable: true });
      }
      await writeJsonLines(join(place.directory, judgedFile), lines);
      await writeJson(join(place.directory, figuresFile), figures);
      const own = (await openRequestIds(place)).flatMap((id) => answers.get(id) ?? []);
      const sum = (key: 'promptTokens' | 'completionTokens') => own.reduce((total, { usage }) => total + usage[key], 0);
      return {
        outputs: [judgedFile, figuresFile, keptRequestsFile],
        metrics: {
          judged: lines.length,
          unjudged: plans.reduce((total, { scored }) => total + scored.length, 0) - lines.length,
          promptTokens: sum('promptTokens'),
          completionTokens: sum('completionTokens'),
        },
      };
    },
  });
  const { judged = 0, unjudged = 0, promptTokens = 0, completionTokens = 0 } = done.manifest.metrics;
  return { ...outcomeOf(done), judged, unjudged, promptTokens, completionTokens };
}

/** @throws OutOfBudget where the budget left nothing to judge a first answer with */
async function refuseEmptyBudget(context: StepContext, answers: ReadonlyMap<string, unknown>): Promise<void> {
  const budget = limitedBudget(context.config.teacher);
  if (budget === undefined || answers.size > 0) return;
  const { cost, toppedUp } = await readLedger(context.run.root);
  const { currency = '' } = (await countedPrice(context)) ?? {};
  throw new OutOfBudget({ limit: budget.limit + toppedUp, spent: cost, currency });
}

/** The step, and all that its result depends on. */
function judgingStep({ config }: StepContext, { directory }: KeptPlace, plans: readonly JudgePlan[]): StepToRun {
  return {
    directory,
    step: 'judge',
    inputs: {
      version: judgingVersion,
      plans: hashValue(plans.map(({ requests, ...plan }) => ({ ...plan, requests: requests.map(({ id }) => id) }))),
      bootstrapSamples: config.evaluate.bootstrapSamples,
      seed: config.seed,
    },
    inSeveralCalls: true,
  };
}

function requestsOf(plans: readonly JudgePlan[]): JudgeRequest[] {
  return [...new Map(plans.flatMap(({ requests }) => requests).map((request) => [request.id, request])).values()];
}

async function scoresOf(place: KeptPlace): Promise<Map<string, number>> {
  const scores = new Map<string, number>();
  for (const [id, { raw_instructions }] of await keptAnswers(place)) {
    const score = readJudgedScore(raw_instructions);
    if (score !== undefined) scores.set(id, score);
  }
  return scores;
}

function joinedOf(context: StepContext, plan: JudgePlan, scoreOf: ReadonlyMap<string, number>): JudgedSet {
  const { evaluate, seed } = context.config;
  return joinJudged(plan, scoreOf, {
    model: teacherName(context),
    bootstrap: { samples: evaluate.bootstrapSamples, seed: `${seed}/${plan.set}` },
  });
}

async function plansOfRound(context: StepContext): Promise<JudgePlan[]> {
  const { config, run } = context;
  const plans: JudgePlan[] = [];
  for (const set of evaluationSets(config, run).filter(isJudged)) {
    const answers = await readSetAnswers(context, set);
    plans.push(await planOf(context, set, await answersOf(set, extractedImagesFolder(run), answers)));
  }
  return plans;
}

/** The questions of a set with what the model wrote. */
async function answersOf(set: EvaluationSet, extractedImages: string, answers: readonly EvaluationAnswer[]) {
  const benchmark = benchmarkOf(set.benchmark);
  const questions = await readEvaluationSet(set, extractedImages);
  return rankAnswers(questions, answers, (question) => benchmark.ask(question, set.answerMode).answers.length);
}

async function planOf(
  { config }: StepContext,
  set: EvaluationSet,
  answered: readonly AnsweredQuestion[],
): Promise<JudgePlan> {
  const { toJudge } = benchmarkOf(set.benchmark);
  const { rubric, labelled, checks } = await judgeTools(config.data.root, set.questions ?? {});
  const { temperature: _, maximumTokens: __, ...identity } = teacherIdentity(withoutStops(config.teacher));
  return planJudging({
    set: set.name,
    answers: answered.flatMap((one) => toJudge?.(one) ?? []),
    labelled,
    checks,
    rubric,
    identity,
    seed: config.seed,
  });
}
