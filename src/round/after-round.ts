/** What follows a finished round where the config asks for it. None of it ends a run. */
import { withoutSecrets } from '../core/without-secrets.ts';
import { prune } from './retention/prune.ts';
import type { StepContext } from './step-context.ts';

/** Longest for a prune: a run does not wait for a disk that hangs. */
const pruneMilliseconds = 300_000;

/**
 * Removes what the run does not keep, for its owner. What fails is written to the log, and made up for after the next round.
 */
export async function afterRound(context: StepContext): Promise<void> {
  const { config, signal } = context;
  if (config.retention === undefined) return;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(pruneMilliseconds)]);
  await logged(context, 'prune', () => prune({ ...context, signal: limited }));
}

async function logged({ run, round, signal }: StepContext, what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    signal.throwIfAborted();
    const problem = withoutSecrets(error instanceof Error ? error.message : String(error));
    process.stderr.write(`${what} after round ${round} of ${run.root}: ${problem}\n`);
  }
}
