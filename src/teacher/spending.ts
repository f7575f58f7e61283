import limitConcurrency from 'p-limit';
import { InputError } from '../core/input-error.ts';
import { appendToLedger, readLedger } from './ledger.ts';
import { costOf, type TokenPrice, type TokenSum } from './prices.ts';

/** The next request to the teacher could cost more than is left of the budget. A retry helps only after a top-up. */
export class OutOfBudget extends InputError {
  constructor({ limit, spent, currency }: { limit: number; spent: number; currency: string }) {
    super({
      file: 'config',
      field: 'teacher.budget.limit',
      problem: `the budget of ${limit} ${currency} is used up: ${spent.toFixed(2)} are spent, and the next request could pass it`,
      remedy: 'Raise it and run this again; only what is missing is requested',
    });
    this.name = 'OutOfBudget';
  }
}

/** An amount that is set aside for one call. One of its functions must be called when the call has ended. */
export interface Reservation {
  answered(usage: TokenSum): Promise<void>;
  /** @param charged default: nothing */
  failed(charged?: TokenSum): Promise<void>;
  /** It may have been charged: the amount stays reserved. */
  lost(): Promise<void>;
}

/** For calls outside of chunks: reserves the most that a call can cost before it is made. */
export interface Spending {
  /** @throws OutOfBudget when the budget does not allow it, even after the open calls have ended */
  reserve(most: TokenSum): Promise<Reservation>;
}

/** Sums of many small prices differ in their last digits. */
export const roundingError = 1e-9;

/**
 * Opens a source of the ledger to spend from. A reservation is in the ledger before the call is made: the calls of a
 * killed process stay counted with the most that they can cost, and other processes see them.
 *
 * Two processes that reserve the rest of a budget at the same moment may both be refused; never are both granted.
 *
 * @param input.source unique to this piece of work
 * @param input.limit the budget without top-ups, which are the ledger's; default: none
 */
export function openSpending(input: {
  runDirectory: string;
  source: string;
  model: string;
  price: TokenPrice | undefined;
  limit?: number | undefined;
}): Spending {
  const { runDirectory, source, model, price, limit } = input;
  const known = { calls: 0, failedCalls: 0, promptTokens: 0, completionTokens: 0 };
  const open = new Set<TokenSum>();
  const lost = new Set<TokenSum>();
  const waiting: (() => void)[] = [];
  let settled = 0;
  const reserving = limitConcurrency(1);

  // One after the other: the last line counts, so it must have the latest state.
  const writing = limitConcurrency(1);
  const enter = () => writing(enterState);
  const enterState = () => {
    const uncertain = [...open, ...lost];
    const tokens = {
      promptTokens: uncertain.reduce((sum, { promptTokens }) => sum + promptTokens, known.promptTokens),
      completionTokens: uncertain.reduce((sum, { completionTokens }) => sum + completionTokens, known.completionTokens),
    };
    return appendToLedger(runDirectory, {
      kind: 'spend',
      at: new Date().toISOString(),
      source,
      model,
      calls: known.calls,
      failedCalls: known.failedCalls,
      lostCalls: uncertain.length,
      ...tokens,
      cost: costOf(price, tokens),
    });
  };

  const reserve = async (most: TokenSum): Promise<Reservation> => {
    // An object of its own, so that two calls of the same size are distinct.
    const reserved = { ...most };
    for (;;) {
      const settledBefore = settled;
      open.add(reserved);
      known.calls += 1;
      await enter();
      if (limit === undefined) return reservationOf(reserved);
      const { cost, toppedUp } = await readLedger(runDirectory);
      if (cost <= limit + toppedUp + roundingError) return reservationOf(reserved);
      open.delete(reserved);
      known.calls -= 1;
      await enter();
      // A call has ended since: the ledger that was read may be older.
      if (settled !== settledBefore) continue;
      if (open.size === 0) {
        const spent = cost - costOf(price, reserved);
        throw new OutOfBudget({ limit: limit + toppedUp, spent, currency: price?.currency ?? '' });
      }
      // Most calls cost less than was reserved for them, so one that ends frees some of the budget.
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };

  const reservationOf = (reserved: TokenSum): Reservation => {
    const settle = async (change: () => void) => {
      open.delete(reserved);
      settled += 1;
      change();
      await enter();
      for (const wake of waiting.splice(0)) wake();
    };
    return {
      answered: ({ promptTokens, completionTokens }) =>
        settle(() => {
          known.promptTokens += promptTokens;
          known.completionTokens += completionTokens;
        }),
      failed: ({ promptTokens, completionTokens } = { promptTokens: 0, completionTokens: 0 }) =>
        settle(() => {
          known.failedCalls += 1;
          known.promptTokens += promptTokens;
          known.completionTokens += completionTokens;
        }),
      lost: () => settle(() => lost.add(reserved)),
    };
  };

  return { reserve: (most) => reserving(reserve, most) };
}

/** The budget of a config that has a limit. */
export function limitedBudget<Budget extends { limit: number | 'none' }>({
  budget,
}: {
  budget?: Budget | undefined;
}): (Omit<Budget, 'limit'> & { limit: number }) | undefined {
  return budget === undefined || budget.limit === 'none' ? undefined : { ...budget, limit: budget.limit };
}
