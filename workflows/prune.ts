/** Removes of a run what its config does not keep: one activity, for a schedule of its own. */
import type { PruneOutcome } from '../src/round/retention/removals.ts';
import { cpuActivities } from './activity-options.ts';
import { parseInput } from './inputs.ts';
import { codeSpan } from './markdown.ts';
import { MessageHandlers } from './message-handlers.ts';
import { type PruneInput, pruneInputSchema } from './prune-input.ts';

/** Deleting many files takes minutes, on a network disk an hour. */
const minutes = 120;

/** Has a CPU worker prune a run, and returns what was removed and what stays. */
export async function dataEnginePrune(given: PruneInput): Promise<PruneOutcome> {
  const input = parseInput(pruneInputSchema, given);
  const of = input.runDirectory ?? input.run ?? input.config ?? '';
  const messages = new MessageHandlers();
  messages.refuseOtherSignals();
  messages.show(`Prunes ${codeSpan(of)}`);
  const outcome = await cpuActivities(undefined, 'Remove what the run does not keep', minutes).prune(input);
  const { bytes, removed, kept } = outcome;
  const files = removed.reduce((sum, one) => sum + one.files, 0);
  const gigabytes = (bytes / 1e9).toFixed(3);
  messages.show(
    `${codeSpan(outcome.run)}: ${files} files, ${gigabytes} GB ${outcome.dryRun ? 'would be removed' : 'removed'}; ${kept.length} of ${outcome.rounds} rounds keep their models`,
  );
  return outcome;
}
