/** What follows a finished round where the config asks for it. None of it ends a run. */
import { withoutSecrets } from '../core/without-secrets.ts';
import { prune } from './retention/prune.ts';
import type { StepContext } from './step-context.ts';
import { track } from './tracking/track.ts';

/** Longest for each: a run waits for no server or disk that hangs. */
const longest = { tracking: 120_000, prune: 300_000 };

/**
 * Tells the tracker, and removes what the run does not keep, for its owner. What fails is written to the log, and made up for
 * after the next round.
 */
export async function afterRound(context: StepContext): Promise<void> {
  const { tracking, retention } = context.config;
  if (tracking !== undefined) await logged(context, 'tracking', track);
  if (retention !== undefined) await logged(context, 'prune', prune);
}

async function logged(
  context: StepContext,
  what: keyof typeof longest,
  work: (context: StepContext) => Promise<unknown>,
): Promise<void> {
  const { run, round, signal } = context;
  try {
    await work({ ...context, signal: AbortSignal.any([signal, AbortSignal.timeout(longest[what])]) });
  } catch (error) {
    signal.throwIfAborted();
    const problem = withoutSecrets(error instanceof Error ? error.message : String(error));
    process.stderr.write(`${what} after round ${round} of ${run.root}: ${problem}\n`);
  }
}
