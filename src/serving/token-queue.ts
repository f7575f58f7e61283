/** Tokens on their way from whoever computes them to whoever reads them. */
import type { GeneratedToken, GenerationEnd } from './engine.ts';

export interface TokenQueue {
  push(tokens: readonly GeneratedToken[]): void;
  end(end: GenerationEnd): void;
  fail(error: unknown): void;
  /** What was pushed so far and will be; fails once all of it was read. */
  read(): AsyncGenerator<GeneratedToken, GenerationEnd>;
}

export function tokenQueue(): TokenQueue {
  const tokens: GeneratedToken[] = [];
  let outcome: { end: GenerationEnd } | { error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const finish = (how: NonNullable<typeof outcome>) => {
    outcome ??= how;
    wake?.();
  };
  return {
    push(more) {
      tokens.push(...more);
      wake?.();
    },
    end: (end) => finish({ end }),
    fail: (error) => finish({ error }),
    async *read() {
      for (;;) {
        for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) yield token;
        if (outcome !== undefined) {
          if ('error' in outcome) throw outcome.error;
          return outcome.end;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
