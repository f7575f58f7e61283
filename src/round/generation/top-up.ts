import { appendToLedger } from '../../teacher/ledger.ts';
import type { StepContext } from '../step-context.ts';

/**
 * Adds to the run's budget, for this round and those after it.
 *
 * @param topUp.id two of the same id count once
 */
export async function recordTopUp(
  { run }: Pick<StepContext, 'run'>,
  { id, amount }: { id: string; amount: number },
): Promise<void> {
  await appendToLedger(run.root, { kind: 'top_up', at: new Date().toISOString(), id, amount });
}
