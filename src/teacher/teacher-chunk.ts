import type { OpenAI } from 'openai';
import type { CallSummary, TeacherRequest } from './call-log.ts';
import { costOf, type TokenPrice, type TokenSum } from './prices.ts';
import type { TeacherSettings } from './provider.ts';
import type { TeacherAsker } from './request-asker.ts';

/** Some of a round's requests that one activity, or one batch, asks. */
export interface TeacherChunk<Request extends TeacherRequest = TeacherRequest> {
  number: number;
  requests: readonly Request[];
  /** Folder of the files of calls. */
  calls: string;
  settings: TeacherSettings;
  /** The run's path or URI: chunks of two runs may be equal otherwise. */
  run: string;
  /** Undefined when the model has no price: it costs nothing then. */
  price: TokenPrice | undefined;
  /** What it had cost when the work was started or resumed. */
  costBefore: number;
  /** Gives the work a client alone. */
  connect<R>(work: (client: OpenAI) => Promise<R>): Promise<R>;
  /** Gives the work a teacher that answers these requests. */
  withAsker<R>(requests: readonly Request[], work: (asker: TeacherAsker<Request>) => Promise<R>): Promise<R>;
  /** Enters what all calls of the chunk have cost in the run's ledger. */
  account(calls: CallSummary): Promise<void>;
}

/** How asking a chunk ended. Small numbers only: it travels through Temporal. */
export interface AskedChunk {
  requests: number;
  answered: number;
  givenUp: number;
  outOfBudget: boolean;
  promptTokens: number;
  completionTokens: number;
  /** Since the work was started or resumed, in the currency of the prices. */
  cost: number;
}

/** @param calls all calls of the chunk */
export function askedChunk(
  chunk: Pick<TeacherChunk, 'price' | 'costBefore' | 'requests'>,
  calls: CallSummary,
  { givenUp = 0, outOfBudget = false }: { givenUp?: number; outOfBudget?: boolean } = {},
): AskedChunk {
  const { price, costBefore, requests } = chunk;
  const cost = costOf(price, tokensOf(calls)) - costBefore;
  return {
    requests: requests.length,
    answered: calls.answers.size,
    givenUp,
    outOfBudget,
    ...calls.charged,
    cost,
  };
}

/** What is known to be charged, and the most that lost calls can have added. */
export function tokensOf({ charged, unsettled }: CallSummary): TokenSum {
  return {
    promptTokens: unsettled.reduce((sum, { most }) => sum + most.promptTokens, charged.promptTokens),
    completionTokens: unsettled.reduce((sum, { most }) => sum + most.completionTokens, charged.completionTokens),
  };
}
