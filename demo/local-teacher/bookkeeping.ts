import type { LocalAnswer } from './answer-format.ts';
import type { Fault } from './faults.ts';
import type { LimitCounts } from './limits.ts';

/** What a local teacher has counted so far. */
export interface LocalTeacherCounts extends LimitCounts {
  /** Requests for a completion, failed ones included, without those of batches. */
  requests: number;
  /** Requests that were answered and charged. */
  answered: number;
  /** Answers to a prompt that was answered before. */
  repeated: number;
  byKind: Partial<Record<LocalAnswer['kind'], number>>;
  faults: Partial<Record<Fault['kind'], number>>;
  /** Charged tokens. */
  promptTokens: number;
  completionTokens: number;
  /** The same for batches, which cost half. */
  batch: { created: number; answered: number; cancelled: number; promptTokens: number; completionTokens: number };
}

/** How often a request was received, and how often it was answered. */
export interface AskedAndAnswered {
  asked: number;
  answered: number;
}

/** Counts requests and answers. */
export interface Bookkeeping {
  counts: Omit<LocalTeacherCounts, keyof LimitCounts>;
  /** By the client's own id of a request, or a hash of the prompt where it has none. */
  byId: Map<string, AskedAndAnswered>;
  /** Counts a request. @returns how often the same prompt was received before */
  asked(id: string, prompt: string): number;
  answered(id: string, prompt: string, kind: LocalAnswer['kind'], usage: TokenCounts, inBatch: boolean): void;
}

export interface TokenCounts {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export function openBooks(): Bookkeeping {
  const counts: Bookkeeping['counts'] = {
    requests: 0,
    answered: 0,
    repeated: 0,
    byKind: {},
    faults: {},
    promptTokens: 0,
    completionTokens: 0,
    batch: { created: 0, answered: 0, cancelled: 0, promptTokens: 0, completionTokens: 0 },
  };
  const byId = new Map<string, AskedAndAnswered>();
  const askedByPrompt = new Map<string, number>();
  const answeredPrompts = new Set<string>();
  const entryOf = (id: string) => {
    const entry = byId.get(id) ?? { asked: 0, answered: 0 };
    byId.set(id, entry);
    return entry;
  };
  return {
    counts,
    byId,
    asked(id, prompt) {
      const before = askedByPrompt.get(prompt) ?? 0;
      askedByPrompt.set(prompt, before + 1);
      entryOf(id).asked += 1;
      return before;
    },
    answered(id, prompt, kind, usage, inBatch) {
      entryOf(id).answered += 1;
      counts.repeated += answeredPrompts.has(prompt) ? 1 : 0;
      answeredPrompts.add(prompt);
      counts.byKind[kind] = (counts.byKind[kind] ?? 0) + 1;
      const part = inBatch ? counts.batch : counts;
      part.answered += 1;
      part.promptTokens += usage.prompt_tokens;
      part.completionTokens += usage.completion_tokens;
    },
  };
}
