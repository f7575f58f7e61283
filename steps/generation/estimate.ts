import { type ChunkIndex, countChunks, readChunk } from '../../generation/chunks.ts';
import type { LedgerTotal } from '../../generation/ledger.ts';
import { costOf, type TokenPrice } from '../../generation/prices.ts';
import type { TeacherAsker } from '../../generation/request-asker.ts';
import type { StepContext } from '../step-context.ts';

/** What a round's generation will take, from a part of its prompts. */
export interface GenerationEstimate {
  requests: number;
  promptTokens: number;
  completionTokens: number;
  /** What it will likely cost, in the currency of the prices. */
  cost: number;
  /** If every answer were as long as allowed. */
  maximumCost: number;
  /** The most that one request can cost, with some room for prompts that were not looked at. */
  mostPerRequest: number;
  /** Seconds that the limits make it last at least; 0 without limits. */
  seconds: number;
}

const promptsLookedAt = 200;
const chunksLookedAt = 8;
// The reference system's answers have about this many tokens.
const usualAnswerTokens = 200;
const roomForLongerPrompts = 1.2;

/** Estimates from a sample of the prompts; lengths of answers are those of earlier rounds, where there are any. */
export async function estimateGeneration(input: {
  file: string;
  chunks: ChunkIndex;
  asker: Pick<TeacherAsker, 'most'>;
  teacher: StepContext['config']['teacher'];
  price: TokenPrice | undefined;
  ledger: LedgerTotal;
}): Promise<GenerationEstimate> {
  const { file, chunks, asker, teacher, price, ledger } = input;
  const count = countChunks(chunks);
  const looked = Math.min(count, chunksLookedAt);
  const lengths: number[] = [];
  for (let index = 0; index < looked; index += 1) {
    const requests = await readChunk(file, chunks, Math.floor((index * count) / looked));
    const some = requests.slice(0, Math.ceil(promptsLookedAt / looked));
    for (const request of some) lengths.push((await asker.most(request)).promptTokens);
  }
  const mean = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length);
  const longest = Math.max(0, ...lengths);
  const { requests } = chunks;
  const promptTokens = Math.round(mean * requests);
  const completionTokens = Math.round(meanAnswer(ledger, teacher.maximumTokens) * requests);
  const { requestsPerMinute, tokensPerMinute } = teacher.limits;
  const minutes =
    teacher.mode === 'batch'
      ? 0
      : Math.max(
          requests / (requestsPerMinute ?? Number.POSITIVE_INFINITY),
          (promptTokens + requests * teacher.maximumTokens) / (tokensPerMinute ?? Number.POSITIVE_INFINITY),
        );
  return {
    requests,
    promptTokens,
    completionTokens,
    cost: costOf(price, { promptTokens, completionTokens }),
    maximumCost: costOf(price, { promptTokens, completionTokens: requests * teacher.maximumTokens }),
    mostPerRequest: costOf(price, {
      promptTokens: longest * roomForLongerPrompts,
      completionTokens: teacher.maximumTokens,
    }),
    seconds: minutes * 60,
  };
}

function meanAnswer({ bySource }: LedgerTotal, maximumTokens: number): number {
  const generated = [...bySource.values()].filter(
    ({ source, lostCalls }) => /\/generate\//.test(source) && lostCalls === 0,
  );
  const answers = generated.reduce((sum, { calls, failedCalls }) => sum + calls - failedCalls, 0);
  const tokens = generated.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
  return answers > 0 ? tokens / answers : Math.min(usualAnswerTokens, maximumTokens);
}
