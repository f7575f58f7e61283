import { printable } from '../../core/printable.ts';
import type { FailureKind } from '../protocol.ts';

/**
 * Why a trainer run ended without its result.
 *
 * - `input`, `memory`, `internal`: reported by the trainer itself (`failed` message).
 * - `crashed`: it exited without `done`; `stalled`: its step did not advance and it was killed.
 */
export type TrainerErrorKind = FailureKind | 'crashed' | 'stalled';

export class TrainerError extends Error {
  override readonly name = 'TrainerError';
  readonly kind: TrainerErrorKind;
  /** True when the same job may well succeed if it is started again. */
  readonly retryable: boolean;

  constructor(input: { kind: TrainerErrorKind; retryable: boolean; message: string }) {
    // A trainer's words, which are shown on terminals and kept in histories.
    super(printable(input.message));
    this.kind = input.kind;
    this.retryable = input.retryable;
  }
}
