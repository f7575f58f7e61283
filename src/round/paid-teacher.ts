/** Whether a run's teacher costs money, and about how much. */
import { requestsOfRound } from '../config/sample-schemas.ts';
import type { Config } from '../config/schema.ts';
import { isOnThisMachine } from '../core/access.ts';
import { configError } from '../core/input-error.ts';
import { countTokens } from '../teacher/count-tokens.ts';
import { imageTokens } from '../teacher/image-tokens.ts';
import { costOf, type TokenPrice } from '../teacher/prices.ts';
import { limitedBudget } from '../teacher/spending.ts';
import { poolSource, showsImages } from './dataset-paths.ts';
import { configuredSets } from './evaluation-sets.ts';
import { isJudged } from './judge/work.ts';
import { generationPromptFile, readGenerationPrompt } from './prompt-file.ts';
import { type TeacherContext, teacherOf } from './teacher.ts';

/** Whether a run asks its teacher anything, as far as the config tells. */
export function asksTeacher(config: Config): boolean {
  return config.rounds > 0 || config.questionTypes.source === 'discover' || configuredSets(config).some(isJudged);
}

/** What a token costs; `unknown` for a service that is paid and whose price is not listed; undefined for one that is free. */
export async function teacherPrice(context: TeacherContext): Promise<TokenPrice | 'unknown' | undefined> {
  const { provider, mode, settings } = teacherOf(context);
  if (!provider.isPaid) return undefined;
  const price = await mode.price(settings);
  if (price !== undefined) return price.input + price.output > 0 ? price : undefined;
  // A server of one's own serves models that no list has a price of.
  if (context.config.teacher.serve !== undefined) return undefined;
  if (settings.provider !== 'openai' || settings.baseUrl === undefined) return 'unknown';
  const address = new URL(settings.baseUrl);
  // What is reached over https is somebody's service (OpenRouter, Together, Azure's own protocol of OpenAI), until the config
  // says `budget: none`.
  return address.protocol === 'https:' && !isOnThisMachine(address) ? 'unknown' : undefined;
}

/**
 * For a run that nobody watches.
 *
 * @throws InputError for a teacher that costs money without `teacher.budget`
 */
export async function requireBudget(context: TeacherContext): Promise<void> {
  const { config } = context;
  if (config.teacher.budget !== undefined || !asksTeacher(config)) return;
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
  const { system, user } = await readGenerationPrompt(config, generationPromptFile(config));
  const { longestSide, detail } = teacher.images;
  const image = showsImages(config)
    ? imageTokens(teacher.model, { width: longestSide, height: longestSide }, detail)
    : 0;
  const facts = poolSource(config).tells.length > 0 ? tokensOfFacts : 0;
  const perRequest = countTokens(system) + countTokens(user) + facts + image;
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
