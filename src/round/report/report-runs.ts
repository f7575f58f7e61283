import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/input-error.ts';
import { readManifest } from '../../core/manifest.ts';
import type { ReportRound } from '../../report/report-input.ts';
import { type RunOverview, type UnreadableRun, writeRunsPage } from '../../report/runs-page.ts';
import type { Extensions } from '../extensions.ts';
import { readFrozenConfig } from '../frozen-config.ts';
import { stepDirectory } from '../step-directory.ts';
import { teacherName } from '../teacher.ts';
import { readCosts, readEndedRound } from './read-costs.ts';
import { readReportRound } from './read-round.ts';
import { runStatus } from './run-standing.ts';

/**
 * Writes `report.html` about all runs of a folder. A run that can't be read is named in it, and does not keep the
 * others from being shown.
 *
 * @returns the page's path, and how many runs are in it
 * @throws InputError when there is no such folder
 */
export async function reportRuns(
  runsDirectory: string,
  extensions: Extensions,
): Promise<{ file: string; runs: number; unreadable: UnreadableRun[] }> {
  const runs: RunOverview[] = [];
  const unreadable: UnreadableRun[] = [];
  const entries = await readdir(runsDirectory, { withFileTypes: true }).catch((cause) => {
    throw new InputError({
      file: runsDirectory,
      problem: `can't be read as a folder of runs (${cause.code})`,
      remedy: "Name the config's runsDirectory",
    });
  });
  for (const name of entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)) {
    try {
      runs.push(await readRun(runsDirectory, name, extensions));
    } catch (error) {
      unreadable.push({ run: name, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  runs.sort((left, right) => left.run.localeCompare(right.run, 'en', { numeric: true }));
  const file = join(runsDirectory, 'report.html');
  await writeRunsPage(file, { runs, unreadable });
  return { file, runs: runs.length, unreadable };
}

async function readRun(runsDirectory: string, name: string, extensions: Extensions): Promise<RunOverview> {
  const run = { root: join(runsDirectory, name) };
  const config = await readFrozenConfig(run.root);
  const rounds: ReportRound[] = [];
  const costOf = await readCosts({ config, run, extensions });
  for (let round = 0; (await readManifest(stepDirectory(run, round, 'classify'))) !== undefined; round += 1) {
    rounds.push(await readReportRound({ config, run, extensions }, round, costOf));
  }
  return {
    run: name,
    status: await runStatus({ config, run }, rounds.length),
    settings: [
      { label: 'Seed', value: String(config.seed) },
      { label: 'Sampling', value: config.sampling.strategy },
      { label: 'Teacher', value: teacherName({ config, extensions }) },
    ],
    rounds,
    ended: await readEndedRound(run, rounds.length, costOf),
  };
}
