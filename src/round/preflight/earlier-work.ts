/** Whether this version of the program can continue what an earlier, or a later one, has begun in a run's folder. */
import { join } from 'node:path';
import { z } from 'zod';
import { joinInside } from '../../core/inside.ts';
import { manifestName, readManifest } from '../../core/manifest.ts';
import { readJson } from '../../core/read-json.ts';
import { finishedFolders } from '../../core/remote/run-files.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { versionHistory } from '../../datasets/versions.ts';
import { trainerVersion } from '../../trainer/protocol.ts';
import { readDecision } from '../gate/lineage.ts';
import { roundsOnDisk } from '../retention/plan-on-disk.ts';
import { roundOf } from '../retention/removals.ts';
import { storeRules } from '../store-rules.ts';

const ofTrainer = z.looseObject({ inputs: z.looseObject({ trainerVersion: z.string().optional() }) });

/**
 * Reads the records of all rounds that are here. Of a run in a store, those of other machines are looked at when they are needed.
 *
 * @returns what is computed again because the trainer has changed since
 * @throws InputError for a record that this version can't read, such as one of a newer version
 */
export async function checkEarlierWork(run: RunDirectory): Promise<string[]> {
  const again = new Set<number>();
  for (const folder of await finishedFolders(run.root, storeRules)) {
    const directory = joinInside(run.root, folder);
    // One that is damaged only means that the step runs again.
    if ((await readManifest(directory)) === undefined) continue;
    const { inputs } = await readJson(join(directory, manifestName), ofTrainer);
    const round = roundOf(folder);
    const isOther = inputs.trainerVersion !== undefined && inputs.trainerVersion !== String(trainerVersion);
    if (isOther && round !== undefined && folder.endsWith('/finetune')) again.add(round);
  }
  for (const round of await roundsOnDisk(run.root)) await readDecision(run, round);
  await versionHistory(run.root);
  if (again.size === 0) return [];
  const rounds = [...again].sort((one, other) => one - other).join(', ');
  return [
    `The trainer has changed since rounds ${rounds} were finetuned. Where these rounds are run again, they are finetuned anew; nights that add rounds leave them as they are.`,
  ];
}
