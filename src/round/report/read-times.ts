/** How long the steps of a round have worked, as the terminal shows it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readManifest } from '../../core/manifest.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { manifestIn } from '../finished-step.ts';
import { directoryOf, shardsDirectory } from '../step-directory.ts';
import { roundSteps } from '../steps.ts';

/**
 * The time of a step in shards is the sum over its shards and their joining. The pool is embedded once a run, in round 1. So
 * the sum is the one that the terminal shows.
 */
export async function secondsByStep(run: RunDirectory, round: number): Promise<Record<string, number>> {
  const seconds: Record<string, number> = {};
  // The comparison is a part of the gate's step, whose time the terminal shows.
  const timed = roundSteps.filter((step) => step !== 'compare');
  for (const step of [...(round === 1 ? (['embed'] as const) : []), ...timed]) {
    const folders = [directoryOf(run, round, step) as string];
    if (step === 'evaluate' || step === 'embed') folders.push(...(await shardFolders(run, round, step)));
    for (const folder of folders) {
      // Embeddings are too large to be downloaded for the time that they took: another machine's are left out.
      const manifest = step === 'embed' ? await readManifest(folder) : await manifestIn(run, folder);
      if (manifest === undefined) continue;
      const { startedAt, finishedAt } = manifest;
      seconds[step] = (seconds[step] ?? 0) + (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
    }
  }
  return seconds;
}

async function shardFolders(run: RunDirectory, round: number, step: 'evaluate' | 'embed'): Promise<string[]> {
  const shards = shardsDirectory(run, round, step);
  if (step === 'evaluate') await run.stored?.downloadAll(shards);
  return (await readdir(shards).catch(() => [])).map((name) => join(shards, name));
}
