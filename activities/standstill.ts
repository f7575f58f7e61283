/**
 * Attempts of an activity that come no further. The server tries it again, and its workflow knows nothing of that: what should
 * be known before the last attempt has failed is said from here.
 */
import { ApplicationFailure } from '@temporalio/common';
import { toActivityFailure } from './errors.ts';

/**
 * Called once when attempts come no further, with what is wrong: after three of them, or after one of two minutes. Called without
 * a problem when one comes further again. Where it fails, the next attempt calls it.
 */
export type OnStandstill = (problem: string | undefined) => Promise<void>;

const mostAttempts = 3;
const mostMilliseconds = 2 * 60_000;
const problemCharacters = 500;

/**
 * Watches one attempt.
 *
 * @param isSaid whether an earlier attempt has said it
 * @param now of a clock that never jumps, in milliseconds
 */
export function watchStandstill(
  isSaid: boolean,
  onStandstill: OnStandstill | undefined,
  now = () => performance.now(),
) {
  const startedAt = now();
  let said = isSaid;
  let telling = Promise.resolve();
  const tell = (problem: string | undefined) => {
    said = problem !== undefined;
    telling = telling
      .then(() => onStandstill?.(problem))
      .catch(() => {
        said = problem === undefined;
      });
  };
  return {
    isSaid: () => said,
    /** It has come further than those before it, or has ended well. */
    moved(): void {
      if (said) tell(undefined);
    },
    /** @param attempts in a row that came no further, this one included */
    failed(error: unknown, attempts: number): void {
      if (said || onStandstill === undefined) return;
      const failure = toActivityFailure(error);
      // An activity that has failed for good says so itself.
      if (failure instanceof ApplicationFailure && failure.nonRetryable) return;
      const isLong = attempts >= mostAttempts || (attempts > 0 && now() - startedAt >= mostMilliseconds);
      const words = failure instanceof Error ? failure.message : String(failure);
      if (isLong) tell(words.slice(0, problemCharacters));
    },
    /** Resolves when all is said. */
    told: (): Promise<void> => telling,
  };
}
