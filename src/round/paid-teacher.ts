/** Whether a run's teacher costs money, and about how much. */
import { requestsOfRound } from '../config/sample-schemas.ts';
import type { Config } from '../config/schema.ts';
import { configError } from '../core/input-error.ts';
import { countTokens } from '../teacher/count-tokens.ts';
import { costOf } from '../teacher/prices.ts';
import { limitedBudget } from '../teacher/spending.ts';
import { poolSource, showsImages } from './dataset-paths.ts';
import { configuredSets } from './evaluation-sets.ts';
import { isJudged } from './judge/work.ts';
import { generationPromptFile, readGenerationPrompt } from './prompt-file.ts';
import type { ExpectedCost } from './step-context.ts';
import type { TeacherContext } from './teacher.ts';
import { largestImageTokens, teacherPrice } from './teacher-price.ts';

/** Whether a run asks its teacher anything, as far as the config tells. */
export function asksTeacher(config: Config): boolean {
  return config.rounds > 0 || config.questionTypes.source === 'discover' || configuredSets(config).some(isJudged);
}

/**
 * For a run that nobody watches.
 *
 * @param always whether the teacher is asked whatever the config says
 * @throws InputError for a teacher that costs money without `teacher.budget`
 */
export async function requireBudget(context: TeacherContext, { always = false } = {}): Promise<void> {
  const { config } = context;
  if (config.teacher.budget !== undefined || !(always || asksTeacher(config))) return;
  const price = await teacherPrice(context);
  if (price === undefined) return;
  throw configError(
    'teacher.budget',
    `is missing, and ${config.teacher.model} costs money`,
    'Set teacher.budget: { limit: … }, what all rounds may cost together, or teacher.budget: none',
  );
}

/** What a run's requests for samples will about cost. */
export interface RunPrice {
  requests: number;
  /** Absent where the price is not known. */
  cost?: { likely: number; most: number; currency: string };
  limit: number | undefined;
}

// Of an image of COCO, and of a bad case.
const tokensOfFacts = 150;
const tokensOfExample = 90;
const usualAnswerTokens = 200;
/** A diagnosis and a proposal; a proposal that can't be used is asked for again. */
const revision = { likely: { requests: 2, answers: 2500 }, most: { requests: 4, answers: 13_500 } };
/** Of `samples` in the workflow's input. */
const usualSamples = 4;

/**
 * By the prompt, before there are requests; undefined for a teacher that is free, or is asked nothing.
 *
 * @param others of the whole run, besides those for samples and their verification
 */
export async function estimateRun(
  context: TeacherContext,
  others: readonly { requests: number; cost: number; maximumCost: number }[] = [],
): Promise<RunPrice | undefined> {
  const { config } = context;
  const { teacher, sampling, rounds, verify } = config;
  const price = await teacherPrice(context);
  const sum = (of: (one: (typeof others)[number]) => number) => others.reduce((total, one) => total + of(one), 0);
  const requests = rounds * requestsOfRound(sampling);
  const besides = sum((one) => one.requests);
  if (price === undefined || requests + besides === 0) return undefined;
  const limit = limitedBudget(teacher)?.limit;
  if (price === 'unknown') return { requests: requests + besides, limit };
  const perRequest = await tokensOfPrompt(config);
  const prompt = requests * (perRequest + sampling.inContextExamples * tokensOfExample);
  const again = requests * (verify.blindAnswers + verify.languageOnlyAnswers);
  const cost = (answer: number) =>
    costOf(price, {
      promptTokens: prompt + again * perRequest,
      completionTokens: (requests + again) * Math.min(answer, teacher.maximumTokens),
    });
  return {
    requests: requests + again + besides,
    cost: {
      likely: cost(usualAnswerTokens) + sum((one) => one.cost),
      most: cost(teacher.maximumTokens) + sum((one) => one.maximumCost),
      currency: price.currency,
    },
    limit,
  };
}

/** Of a request for a sample, without in-context examples. */
async function tokensOfPrompt(config: Config): Promise<number> {
  const { system, user } = await readGenerationPrompt(config, generationPromptFile(config));
  const image = showsImages(config) ? largestImageTokens(config) : 0;
  const facts = poolSource(config).tells.length > 0 ? tokensOfFacts : 0;
  return countTokens(system) + countTokens(user) + facts + image;
}

/**
 * What a version of the prompt costs in Interactive Prompt Optimization: a second version's samples are about the images of the
 * first and as many others, and it is written in two requests.
 *
 * @param samples images of the first version
 */
export async function estimatePrompt(
  context: TeacherContext,
  samples = usualSamples,
): Promise<ExpectedCost | undefined> {
  const { teacher } = context.config;
  const price = await teacherPrice(context);
  if (price === undefined) return undefined;
  const ofSamples = 2 * samples;
  const requests = ofSamples + revision.likely.requests;
  if (price === 'unknown') return { requests };
  const prompt = await tokensOfPrompt(context.config);
  const cost = (answer: number, revised: typeof revision.likely) => {
    const each = Math.min(answer, teacher.maximumTokens);
    const read = prompt + samples * (tokensOfFacts + each);
    return costOf(price, {
      promptTokens: ofSamples * prompt + revised.requests * read,
      completionTokens: ofSamples * each + revised.answers,
    });
  };
  const likely = cost(usualAnswerTokens, revision.likely);
  const most = cost(teacher.maximumTokens, revision.most);
  return { requests, cost: { likely, most, currency: price.currency } };
}
