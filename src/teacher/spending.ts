import limitConcurrency from 'p-limit';
import { InputError } from '../core/input-error.ts';
import { appendToLedger, readLedger } from './ledger.ts';
import { costOf, type TokenPrice, type TokenSum } from './prices.ts';

/** The next request to the teacher could cost more than the budget has left. Trying again helps only with more money. */
export class OutOfBudget extends InputError {
  constructor({ limit, spent, currency }: { limit: number; spent: number; currency: string }) {
    super({
      file: 'config',
      field: 'teacher.budget.limit',
      problem: `the budget of ${limit} ${currency} is used up: ${spent.toFixed(2)} are spent, and the next request could pass it`,
      remedy: 'Raise it and run this again, which asks only for what is missing',
    });
    this.name = 'OutOfBudget';
  }
}

/** Money set aside for one call. One of these is to be called when the call has ended. */
export interface Reservation {
  answered(usage: TokenSum): Promise<void>;
  /** Nothing was charged. */
  failed(): Promise<void>;
  /** It may have been charged: what was reserved stays so. */
  lost(): Promise<void>;
}

/** For calls that are made one by one, outside chunks: sets aside the most that each can cost before it is made. */
export interface Spending {
  /** @throws OutOfBudget when it does not fit, even after the calls under way have ended */
  reserve(most: TokenSum): Promise<Reservation>;
}

// Sums of many small prices are off by their last digits.
const roundingError = 1e-9;

/**
 * Opens a source of the ledger to spend from. What is reserved is in the ledger before the call is made, so that a
 * process that dies leaves its calls counted with their most, and other processes see them.
 *
 * Two processes that reserve the last of a budget at the same moment may both be refused; they never both get it.
 *
 * @param input.source no other piece of work has it
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
  const underWay = new Set<TokenSum>();
  const lost = new Set<TokenSum>();
  const waiting: (() => void)[] = [];
  let settled = 0;
  const oneAtATime = limitConcurrency(1);

  // One after the other: the last line is what counts, and must be of the latest state.
  const writing = limitConcurrency(1);
  const enter = () => writing(enterState);
  const enterState = () => {
    const open = [...underWay, ...lost];
    const tokens = {
      promptTokens: open.reduce((sum, { promptTokens }) => sum + promptTokens, known.promptTokens),
      completionTokens: open.reduce((sum, { completionTokens }) => sum + completionTokens, known.completionTokens),
    };
    return appendToLedger(runDirectory, {
      kind: 'spend',
      at: new Date().toISOString(),
      source,
      model,
      calls: known.calls,
      failedCalls: known.failedCalls,
      lostCalls: open.length,
      ...tokens,
      cost: costOf(price, tokens),
    });
  };

  const reserve = async (most: TokenSum): Promise<Reservation> => {
    // An object of its own: that is what tells two calls of the same size apart.
    const reserved = { ...most };
    for (;;) {
      const settledBefore = settled;
      underWay.add(reserved);
      known.calls += 1;
      await enter();
      if (limit === undefined) return reservationOf(reserved);
      const { cost, toppedUp } = await readLedger(runDirectory);
      if (cost <= limit + toppedUp + roundingError) return reservationOf(reserved);
      underWay.delete(reserved);
      known.calls -= 1;
      await enter();
      // What was read may be older than that.
      if (settled !== settledBefore) continue;
      if (underWay.size === 0) {
        const spent = cost - costOf(price, reserved);
        throw new OutOfBudget({ limit: limit + toppedUp, spent, currency: price?.currency ?? '' });
      }
      // Most calls cost less than their most.
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };

  const reservationOf = (reserved: TokenSum): Reservation => {
    const settle = async (change: () => void) => {
      underWay.delete(reserved);
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
      failed: () =>
        settle(() => {
          known.failedCalls += 1;
        }),
      lost: () => settle(() => lost.add(reserved)),
    };
  };

  return { reserve: (most) => oneAtATime(reserve, most) };
}
