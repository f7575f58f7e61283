/**
 * What must hold after a run to which something was done.
 */
import Table from 'cli-table3';
import { runningInGroup, runningWith } from '../support/processes.ts';
import { type Victim, victims } from './at-work.ts';
import { compareRuns, type Finished, leftovers } from './compare.ts';
import { isFlat, type Night } from './nights.ts';
import type { ChaosRun } from './run.ts';

/** What, whether it holds, and what was found. */
export type Check = [what: string, holds: boolean, value: unknown];

const tolerance = 1e-5;

/** Compares a run with an undisturbed one of the same config. */
export async function sameResults(
  wanted: Finished,
  found: Finished,
): Promise<{ checks: Check[]; isSame: boolean; sameDataset: boolean; maxDifference: number }> {
  const { sameDataset, scores, losses, adapter } = await compareRuns(wanted, found);
  const files = await leftovers(found.directory);
  const checks: Check[] = [
    ['same dataset', sameDataset, sameDataset],
    ['same scores', scores <= tolerance, scores],
    ['same losses', losses <= tolerance, losses],
    ['same adapters', adapter <= tolerance, adapter],
    ['no temporary file left', files.length === 0, files.join(' ') || 0],
  ];
  const isSame = checks.every(([, holds]) => holds);
  return { checks, isSame, sameDataset, maxDifference: Math.max(scores, losses, adapter) };
}

/** Whether all kills happened, and left nothing behind. @param folder of all runs */
export async function checkKills(
  calm: ChaosRun,
  wild: ChaosRun,
  { count, folder }: { count: number; folder: string },
): Promise<{ checks: Check[]; table: string }> {
  // Trainers have a file of the folder on their command lines.
  const trainers = (await runningWith(folder)).map(({ command }) => command);
  const orphans = [trainers, ...(await Promise.all([...calm.groups, ...wild.groups].map(runningInGroup)))].flat();
  const table = new Table({
    head: ['victim', 'kills', 'starts', 'undisturbed', 'killed at'],
    style: { head: [] },
    colAligns: ['left', 'right', 'right', 'right', 'left'],
  });
  const killsOf = (victim: Victim) => wild.kills.filter((kill) => kill.victim === victim);
  const killed = victims.map((victim) => killsOf(victim).length);
  // A trainer is started for each job, the others only because they had ended.
  const restarted = (victim: Victim) => wild.starts[victim] >= calm.starts[victim] + killsOf(victim).length;
  for (const victim of victims) {
    const kills = killsOf(victim);
    const work = [...new Set(kills.map((kill) => kill.work.replace(/ .*/, ' …')))].join(', ');
    table.push([victim, kills.length, wild.starts[victim], calm.starts[victim], work]);
  }
  return {
    checks: [
      ['as many kills as requested', wild.kills.length === count, wild.kills.length],
      ['every victim killed', killed.every((count) => count > 0), killed.join(' ')],
      ['every victim restarted', victims.every(restarted), victims.map((victim) => wild.starts[victim]).join(' ')],
      ['no step finished twice', wild.endedTwice.length === 0, wild.endedTwice.join(' ') || 0],
      ['no process left', orphans.length === 0, orphans.join(' ') || 0],
    ],
    table: String(table),
  };
}

/** Whether the nights leave no more than those before them, but for records: scores, answers and data, which a run keeps. */
export function checkNights(nights: readonly Night[]): { checks: Check[]; figures: Record<string, unknown> } {
  const flat = (what: string, of: (night: Night) => number): Check => {
    const values = nights.map(of);
    return [`${what} flat over ${nights.length} nights`, isFlat(values), `${values[0]} to ${values.at(-1)}`];
  };
  const checks = [
    flat('disk', ({ bytes }) => bytes),
    flat('report', ({ reportBytes }) => reportBytes),
    flat('history', ({ historyBytes }) => historyBytes),
  ];
  const [diskFlat, reportFlat, historyFlat] = checks.map(([, holds]) => holds);
  const ends = (of: (night: Night) => number) => [nights[0], nights.at(-1)].map((night) => (night ? of(night) : 0));
  const aNight = (of: (night: Night) => number) => {
    const [first = 0, last = 0] = ends(of);
    return Math.round((last - first) / Math.max(1, nights.length - 1));
  };
  const figures = {
    nights: nights.length,
    ...{ diskFlat, reportFlat, historyFlat },
    bytes: ends(({ bytes }) => bytes),
    reportBytes: ends(({ reportBytes }) => reportBytes),
    historyBytes: ends(({ historyBytes }) => historyBytes),
    events: ends(({ events }) => events),
    recordsANight: { files: aNight(({ files }) => files), bytes: aNight(({ recordBytes }) => recordBytes) },
  };
  return { checks, figures };
}
