/** How a run stands, by what its folder says: no server is asked. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { readManifest } from '../../core/manifest.ts';
import { type RunDirectory, roundDirectory } from '../../core/run-directory.ts';
import type { RunStatus } from '../../report/runs-page.ts';
import { manifestIn } from '../finished-step.ts';
import { readDecision } from '../gate/lineage.ts';
import { directoryOf, shardsDirectory } from '../step-directory.ts';
import { roundSteps } from '../steps.ts';

/** A step that has written nothing for so long is no longer under way: trainers and teachers write every few seconds. */
const silentMinutes = 10;

/**
 * Finished, ended early, under way or stopped, and where.
 *
 * @param rounds how many rounds have finished
 * @param now in milliseconds since 1970
 */
export async function runStatus(
  { config, run }: { config: Config; run: RunDirectory },
  rounds: number,
  now = Date.now(),
): Promise<RunStatus> {
  const last = rounds - 1;
  const decision = last < 0 ? undefined : await readDecision(run, last);
  if (decision?.stop !== undefined) return { state: 'ended early', text: `round ${last}: ${decision.stop.reason}` };
  if (last >= config.rounds && (decision !== undefined || config.gate.policy === 'always')) {
    return { state: 'finished', text: `${last} of ${config.rounds} rounds` };
  }
  const round = decision === undefined && last >= 0 ? last : rounds;
  const nothingNew = await nothingToLearn(run, round);
  if (nothingNew !== undefined) return { state: 'ended early', text: `round ${round}: ${nothingNew}` };
  const written = (await lastWritten(roundDirectory(run, round))) ?? (await stat(run.root)).mtimeMs;
  const state = now - written > silentMinutes * 60_000 ? 'stopped' : 'under way';
  const when = `${new Date(written).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return { state, text: `round ${round} of ${config.rounds}, ${await stepUnderWay(run, round)}; last written ${when}` };
}

/** Why a round has nothing to train on, which ends its run without a decision; undefined where it has. */
export async function nothingToLearn(run: RunDirectory, round: number): Promise<string | undefined> {
  for (const [step, figure, reason] of [
    ['sample', 'requests', 'no bad case is left to learn from, or no image to ask about'],
    ['refine', 'accepted', 'no answer of the teacher is fit to learn from'],
    ['select', 'accepted', 'no new sample is as difficult as wanted'],
    ['append', 'samples', 'all samples were rejected in their review'],
  ] as const) {
    const manifest = await manifestIn(run, directoryOf(run, round, step) as string);
    if (manifest?.metrics[figure] === 0) return reason;
  }
  return undefined;
}

/** `in finetune`, `after merge`, or `not started`: by the last step of the round that has a folder. */
async function stepUnderWay(run: RunDirectory, round: number): Promise<string> {
  let place = 'not started';
  for (const name of roundSteps) {
    const folder = directoryOf(run, round, name) as string;
    const isDone = (await readManifest(folder)) !== undefined;
    const folders = name === 'evaluate' ? [folder, shardsDirectory(run, round, name)] : [folder];
    const entries = await Promise.all(folders.map((one) => readdir(one).catch(() => [] as string[])));
    if (isDone) place = `after ${name}`;
    else if (entries.some((names) => names.length > 0)) place = `in ${name}`;
  }
  return place;
}

/** When the newest file below a folder was written, in milliseconds since 1970; undefined for an empty folder. */
async function lastWritten(folder: string): Promise<number | undefined> {
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  let newest: number | undefined;
  for (const name of names) {
    const written = await stat(join(folder, name)).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    newest = Math.max(newest ?? 0, written);
  }
  return newest;
}
