/** What a round will write, by size, and whether the disk of the run has room for it. */
import { stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { targetsByPart } from '../../config/lora-schema.ts';
import type { Config } from '../../config/schema.ts';
import { fileExists } from '../../core/files.ts';
import { configError } from '../../core/input-error.ts';
import { sizeText } from '../../core/pruned.ts';
import { readSettings } from '../../core/read-json.ts';
import type { RunDirectory } from '../../core/run-directory.ts';
import { roundsOnDisk } from '../retention/plan-on-disk.ts';
import { stepDirectory } from '../step-directory.ts';
import type { StepName } from '../steps.ts';
import { modelBytes } from './model-directory.ts';

interface Place {
  config: Config;
  run: RunDirectory;
}

/** Both trainers keep two checkpoints: the parameters with two moments, and where it is asked for the best state. */
const checkpointsKept = 2;
const bytesPerValue = 4;
/** Request, answer, sample and their places in the dataset version, the largest ones seen. */
const bytesPerRequest = 16_000;

/**
 * Checks that a run's disk can hold what is still to be made. With `retention` only so many merged models are there at a time.
 *
 * @param rounds how many rounds are to be made
 * @throws InputError with what is free and what is needed, by kind
 */
export async function requireDiskSpace({ config, run }: Place, rounds: number): Promise<void> {
  if (rounds < 1) return;
  const { path } = config.model;
  const [model, adapter] = [await modelBytes(path), await adapterBytes(config)];
  const models = Math.min(rounds, await modelsToCome(config, run));
  const best = config.finetune.keep === 'last' ? 0 : 1;
  const needs = {
    [`${models} merged ${models === 1 ? 'model' : 'models'}`]: models * model,
    // Those of a finished finetune go where retention is asked for.
    'adapters and checkpoints':
      rounds * adapter + (config.retention === undefined ? rounds : 1) * checkpointsKept * (3 + best) * adapter,
    'requests, answers and samples': config.rounds === 0 ? 0 : rounds * config.sampling.requests * bytesPerRequest,
  };
  const needed = Object.values(needs).reduce((sum, size) => sum + size, 0);
  const free = await freeBytes(run.root);
  if (free === undefined || free >= needed) return;
  const parts = Object.entries(needs).filter(([, size]) => size > 0);
  throw configError(
    'runsDirectory',
    `${sizeText(free)} are free at ${run.root}, and ${rounds} ${rounds === 1 ? 'round needs' : 'rounds need'} about ${sizeText(needed)}: ${parts.map(([what, size]) => `${what} ${sizeText(size)}`).join(', ')}`,
    'Free some space (`dataengine prune --dry-run` says what a run can give up), set retention, or name a folder on another disk',
  );
}

/** The rounds that have no merged model yet; of a step by hand, and of a run in a store, one. */
export async function roundsToCome({ config, run }: Place, step?: StepName): Promise<number> {
  let left = 0;
  for (let round = 0; round <= config.rounds; round += 1) {
    if (!(await fileExists(join(stepDirectory(run, round, 'merge'), 'manifest.json')))) left += 1;
  }
  // Finished rounds of a run in a store need not be on this disk.
  return step !== undefined || run.stored !== undefined ? Math.min(left, 1) : left;
}

/** How many more models the run may have at a time: that of the round under way comes before another goes. */
async function modelsToCome({ retention }: Config, run: RunDirectory): Promise<number> {
  if (retention === undefined) return Number.POSITIVE_INFINITY;
  const most = retention.lastRounds + (retention.best ? 1 : 0) + 2;
  let here = 0;
  for (const round of await roundsOnDisk(run.root)) {
    if ((await modelBytes(stepDirectory(run, round, 'merge'))) > 0) here += 1;
  }
  return Math.max(1, most - here);
}

const sizes = z.looseObject({
  hidden_size: z.number().positive(),
  intermediate_size: z.number().positive().optional(),
  num_hidden_layers: z.number().positive(),
});
const modelSettings = z.looseObject({
  text_config: z.unknown().optional(),
  llm_config: z.unknown().optional(),
  language_config: z.unknown().optional(),
});

/** The size of an adapter, at most; 0 where the model's config does not say its sizes. */
async function adapterBytes({ model, finetune }: Config): Promise<number> {
  const { rank } = finetune.lora;
  const targets = targetsByPart(finetune.lora.targetModules);
  const settings = await readSettings(join(model.path, 'config.json'), modelSettings).catch(() => undefined);
  if (settings === undefined) return 0;
  const { text_config, llm_config, language_config } = settings;
  const found = [text_config, llm_config, language_config, settings].map((one) => sizes.safeParse(one));
  const known = found.find((one) => one.success)?.data;
  if (known === undefined) return 0;
  const { hidden_size: width, intermediate_size: inner = 4 * width, num_hidden_layers: layers } = known;
  // The vision side and the projection are smaller: what they take is at most as much.
  const values = Object.values(targets)
    .flat()
    .map((name) => rank * (/gate|up|down|fc/.test(name) ? width + inner : 2 * width));
  const whole = finetune.trainable?.includes('projection') ? 2 * width * width : 0;
  return bytesPerValue * (whole + layers * values.reduce((sum, count) => sum + count, 0));
}

async function freeBytes(folder: string): Promise<number | undefined> {
  for (let place = folder; ; place = dirname(place)) {
    // A file system without such figures is not asked about its parents.
    if ((await stat(place).catch(() => undefined)) !== undefined) {
      const found = await statfs(place).catch(() => undefined);
      return found && found.bavail * found.bsize;
    }
    if (dirname(place) === place) return undefined;
  }
}
