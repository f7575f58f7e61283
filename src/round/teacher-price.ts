/** What a teacher's tokens cost, and the question to a person whether they may be paid. */
import type { Config } from '../config/schema.ts';
import { isOnThisMachine } from '../core/access.ts';
import { countPromptTokens } from '../teacher/count-tokens.ts';
import { imageTokens } from '../teacher/image-tokens.ts';
import { costOf, readPrice, type TokenPrice } from '../teacher/prices.ts';
import type { ChatMessage } from '../teacher/prompt-template.ts';
import { findTeacher } from '../teacher/providers/index.ts';
import type { StepContext } from './step-context.ts';

/** What a token costs; `unknown` for a service that is paid and whose price is not listed; undefined for one that is free. */
export async function teacherPrice({
  config,
  extensions,
}: Pick<StepContext, 'config' | 'extensions'>): Promise<TokenPrice | 'unknown' | undefined> {
  const { provider, mode, settings } = findTeacher(config.teacher, extensions.teacherProviders);
  if (!provider.isPaid) return undefined;
  const price = await mode.price(settings);
  if (price !== undefined) return price.input + price.output > 0 ? price : undefined;
  // A server of one's own serves models that no list has a price of.
  if (config.teacher.serve !== undefined) return undefined;
  if (settings.provider !== 'openai' || settings.baseUrl === undefined) return 'unknown';
  const address = new URL(settings.baseUrl);
  // What is reached over https is somebody's service (OpenRouter, Together, Azure's own protocol of OpenAI), until the config
  // says `budget: none`.
  return address.protocol === 'https:' && !isOnThisMachine(address) ? 'unknown' : undefined;
}

/** Requests that are about to be sent, those whose answers are known already among them. */
export interface PlannedRequests {
  requests: number;
  promptTokens: number;
  /** Of all answers: likely, and if each were as long as allowed. */
  answerTokens: { likely: number; most: number };
}

/** Counts what prompts and answers will take. @param answer tokens of one answer @param image tokens of one prompt's image */
export function planRequests(
  prompts: readonly (readonly ChatMessage[])[],
  answer: { likely: number; most: number },
  image = 0,
): PlannedRequests {
  const requests = prompts.length;
  return {
    requests,
    promptTokens: prompts.reduce((sum, messages) => sum + countPromptTokens(messages) + image, 0),
    answerTokens: { likely: requests * Math.min(answer.likely, answer.most), most: requests * answer.most },
  };
}

/** The tokens of an image as large as `teacher.images` allows. */
export function largestImageTokens({ teacher: { model, images } }: Config): number {
  const { longestSide, detail } = images;
  return imageTokens(model, { width: longestSide, height: longestSide }, detail);
}

type ConfirmingContext = Pick<StepContext, 'config' | 'extensions' | 'confirmCost'>;

/**
 * Before requests that are sent one by one, whatever `teacher.mode` says: asks whether they may be paid, where they cost and there
 * is somebody to ask.
 *
 * @throws what `confirmCost` throws
 */
export async function confirmRequests(
  context: ConfirmingContext,
  planned: () => PlannedRequests | Promise<PlannedRequests>,
): Promise<void> {
  if (context.confirmCost === undefined || (await teacherPrice(context)) === undefined) return;
  const { requests, promptTokens, answerTokens } = await planned();
  const { prices, model } = context.config.teacher;
  const price = await readPrice(prices, model, 'online');
  const cost = (completionTokens: number) => costOf(price, { promptTokens, completionTokens });
  await confirmPayment(context, { requests, likely: cost(answerTokens.likely), most: cost(answerTokens.most) });
}

/** The same for requests whose cost was estimated before. @throws what `confirmCost` throws */
export async function confirmPayment(
  context: ConfirmingContext,
  { requests, likely, most }: { requests: number; likely: number; most: number },
): Promise<void> {
  const { confirmCost } = context;
  if (confirmCost === undefined || requests === 0) return;
  const price = await teacherPrice(context);
  if (price === undefined) return;
  const cost = price === 'unknown' ? undefined : { likely, most, currency: price.currency };
  await confirmCost({ requests, cost });
}
