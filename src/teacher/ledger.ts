/**
 * The ledger of a run: what the teacher cost, over all rounds. `<run>/ledger/` has append-only files with one JSON value
 * a line, one file for each process, so that workers on several machines never write into the same file.
 */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { openJsonLines } from '../core/append-json-lines.ts';
import { requireFence } from '../core/fence.ts';
import { readJsonLines } from '../core/read-json.ts';

const amount = z.number().nonnegative();
const spendEntry = z.object({
  kind: z.literal('spend'),
  at: z.string(),
  source: z.string(),
  model: z.string(),
  calls: amount,
  failedCalls: amount,
  lostCalls: amount,
  promptTokens: amount,
  completionTokens: amount,
  cost: amount,
});
const topUpEntry = z.object({ kind: z.literal('top_up'), at: z.string(), id: z.string(), amount });
const entrySchema = z.discriminatedUnion('kind', [spendEntry, topUpEntry]);

/**
 * What one piece of work (`source`, such as `round-1/generate/chunk-00012`) has cost in all; a later entry of the same
 * source replaces an earlier one. Lost calls (a worker was killed, a connection was cut) may have been charged: they
 * count with the most that they can have cost.
 */
export type SpendEntry = z.output<typeof spendEntry>;
export type LedgerEntry = z.output<typeof entrySchema>;

/** What a run has cost in all. */
export interface LedgerTotal
  extends Pick<SpendEntry, 'calls' | 'failedCalls' | 'lostCalls' | 'promptTokens' | 'completionTokens' | 'cost'> {
  /** What was added to the config's budget. */
  toppedUp: number;
  bySource: Map<string, SpendEntry>;
}

/** In the run's folder. */
export const ledgerFolderName = 'ledger';

const ledgerFolder = (runDirectory: string) => join(runDirectory, ledgerFolderName);
const ownFile = `${randomBytes(6).toString('hex')}.jsonl`;
let lastAppend: Promise<void> = Promise.resolve();

/** Adds an entry; resolves when it is on the disk. @throws InputError when the run has another owner by now */
export function appendToLedger(runDirectory: string, entry: LedgerEntry): Promise<void> {
  const append = async () => {
    await requireFence();
    const lines = await openJsonLines(join(ledgerFolder(runDirectory), ownFile));
    try {
      await lines.append(entry);
    } finally {
      await lines.close();
    }
  };
  const appended = lastAppend.then(append);
  lastAppend = appended.catch(() => undefined);
  return appended;
}

/** Reads what a run has cost so far. Of the entries of one source the latest counts. */
export async function readLedger(runDirectory: string): Promise<LedgerTotal> {
  const folder = ledgerFolder(runDirectory);
  const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.jsonl')).sort();
  const bySource = new Map<string, SpendEntry>();
  const topUps = new Map<string, number>();
  for (const file of files) {
    for (const entry of await readJsonLines(join(folder, file), entrySchema, { tolerateTruncatedLastLine: true })) {
      if (entry.kind === 'top_up') topUps.set(entry.id, entry.amount);
      else if ((bySource.get(entry.source)?.at ?? '') <= entry.at) bySource.set(entry.source, entry);
    }
  }
  const sum = (value: (entry: SpendEntry) => number) =>
    [...bySource.values()].reduce((total, entry) => total + value(entry), 0);
  return {
    calls: sum(({ calls }) => calls),
    failedCalls: sum(({ failedCalls }) => failedCalls),
    lostCalls: sum(({ lostCalls }) => lostCalls),
    promptTokens: sum(({ promptTokens }) => promptTokens),
    completionTokens: sum(({ completionTokens }) => completionTokens),
    cost: sum(({ cost }) => cost),
    toppedUp: [...topUps.values()].reduce((total, amount) => total + amount, 0),
    bySource,
  };
}
