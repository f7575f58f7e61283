/** What people may name as a model to ask: a model directory, a round's folder, or a run's. */
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileExists } from '../core/files.ts';
import { InputError } from '../core/input-error.ts';
import { readManifest } from '../core/manifest.ts';
import { requireUnpruned } from '../core/pruned.ts';
import type { RunDirectory } from '../core/run-directory.ts';
import type { TokenBoundaries } from '../model/families/prompt-form.ts';
import { nameOf } from '../serving/start-engine.ts';
import { readFrozenConfig } from './frozen-config.ts';
import { readDecisionFile } from './gate/results.ts';
import { stepDirectory } from './step-directory.ts';

export interface ServedModel {
  /** The model directory. */
  directory: string;
  /** Its name for people. */
  name: string;
  /** As the run's config says; undefined for a directory that is of no run. */
  tokenBoundaries?: TokenBoundaries;
  exif?: 'apply' | 'ignore' | undefined;
}

/**
 * The model that a path means. Of a run, it is the merged model of the last round that was accepted, whatever the run does now.
 *
 * @param round of a run, instead of the last good one
 * @throws InputError for a path without a model, and a run that has none yet
 */
export async function servedModel(path: string, round?: number): Promise<ServedModel> {
  const folder = resolve(path);
  const isRun = await fileExists(join(folder, 'round-0'));
  if (!isRun) {
    if (round !== undefined)
      throw refuse(path, 'is no folder of a run, and a round is named', 'Name a run such as runs/demo');
    return ofDirectory(folder, path);
  }
  const run: RunDirectory = { root: folder };
  const good = round ?? (await lastGood(run));
  const directory = stepDirectory(run, good, 'merge');
  if ((await readManifest(directory)) === undefined || !(await fileExists(join(directory, 'config.json')))) {
    throw refuse(
      directory,
      `round ${good} has no merged model`,
      'Wait until its step merge is done, run `dataengine merge` with the config of the run, or `dataengine pull --weights` for a run in a store',
    );
  }
  await requireUnpruned(directory);
  const config = await readFrozenConfig(folder);
  return {
    directory,
    name: `${basename(folder)}-round-${good}`,
    tokenBoundaries: config.model.tokenBoundaries,
    exif: config.data.exif,
  };
}

async function ofDirectory(folder: string, path: string): Promise<ServedModel> {
  for (const model of [folder, join(folder, 'merged')]) {
    if (!(await fileExists(join(model, 'config.json')))) continue;
    await requireUnpruned(model);
    return { directory: model, name: nameOf(model) };
  }
  if (await fileExists(join(folder, 'adapter_config.json'))) {
    throw refuse(path, 'is an adapter', 'Name the base model, and the adapter with --adapter');
  }
  throw refuse(
    path,
    (await fileExists(folder)) ? 'holds no model (config.json) and no rounds of a run' : 'does not exist',
    'Name a model directory such as data/stage1, or a run such as runs/demo',
  );
}

async function lastGood(run: RunDirectory): Promise<number> {
  const rounds = (await readdir(run.root)).flatMap((name) => /^round-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  for (const round of rounds.toSorted((a, b) => b - a)) {
    const directory = stepDirectory(run, round, 'gate');
    if ((await readManifest(directory)) === undefined) continue;
    if ((await readDecisionFile(directory)).accepted) return round;
  }
  return 0;
}

function refuse(file: string, problem: string, remedy: string): InputError {
  return new InputError({ file, problem, remedy });
}
