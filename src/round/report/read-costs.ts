/** What each round has asked of the teacher, and what that has cost: also one that ended the run with nothing to train on. */
import type { Manifest } from '../../core/manifest.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import type { EndedRound, ReportRound } from '../../report/report-input.ts';
import { readLedger } from '../../teacher/ledger.ts';
import { manifestIn } from '../finished-step.ts';
import { readRejectedByReason } from '../refine/results.ts';
import { stepDirectory } from '../step-directory.ts';
import { paidPrice, type TeacherContext } from '../teacher.ts';
import { secondsByStep } from './read-times.ts';
import { nothingToLearn } from './run-standing.ts';

/** The cost of a round; undefined for a teacher that is free. */
export type CostOfRound = (round: number) => ReportRound['cost'];

/** Reads the ledger once for all rounds: failed and lost requests count, and all that a round asks the teacher for. */
export async function readCosts(context: TeacherContext & { run: RunDirectory }): Promise<CostOfRound> {
  const price = await paidPrice(context);
  if (price === undefined) return () => undefined;
  const { bySource } = await readLedger(context.run.root);
  const amounts = new Map<string, number>();
  for (const [source, { cost }] of bySource) {
    const [round = ''] = source.split('/', 1);
    amounts.set(round, (amounts.get(round) ?? 0) + cost);
  }
  return (round) => ({ amount: amounts.get(`round-${round}`) ?? 0, currency: price.currency });
}

/** The tokens of a step that has asked the teacher; 0 where there is none. */
export function tokensOf(manifest: Manifest | undefined): number {
  return (manifest?.metrics.promptTokens ?? 0) + (manifest?.metrics.completionTokens ?? 0);
}

/** The round that had nothing to train on, after those that have finished; undefined where it is another one's turn. */
export async function readEndedRound(
  run: RunDirectory,
  round: number,
  costOf: CostOfRound,
): Promise<EndedRound | undefined> {
  const reason = await nothingToLearn(run, round);
  if (reason === undefined) return undefined;
  const step = (name: 'generate' | 'verify' | 'refine') => manifestIn(run, stepDirectory(run, round, name));
  const refined = (await step('refine')) !== undefined;
  return {
    round,
    reason,
    rejectedByReason: refined ? await readRejectedByReason(stepDirectory(run, round, 'refine')) : {},
    teacherTokens: tokensOf(await step('generate')) + tokensOf(await step('verify')),
    cost: costOf(round),
    secondsByStep: await secondsByStep(run, round),
  };
}
