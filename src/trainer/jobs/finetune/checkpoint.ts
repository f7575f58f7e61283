/** Training checkpoints: three arrays, the loss curve so far, the step, and the hash of the job they belong to. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { hashFile } from '../../../core/hash.ts';
import { sha256Text } from '../../../core/inside.ts';
import { readJson, readJsonLines } from '../../../core/read-json.ts';
import { writeJson, writeJsonLines } from '../../../core/write-file.ts';
import { openSafetensors, writeSafetensors } from '../../../model/files/safetensors.ts';
import { validationLossSchema } from '../../job-files.ts';
import type { OptimizerState } from './finetune-program.ts';
import { LOSS_FILE, type LossRecord, lossRecordSchema } from './loss-log.ts';
import { OPTIMIZER_STATE } from './optimizer.ts';
import { type Validated, validationScoreSchema } from './validation.ts';

/** Checkpoints kept: the newest, and one to fall back on should it be damaged. */
const KEPT = 2;

const recordSchema = z.object({
  step: z.number().int().positive(),
  jobHash: z.string(),
  sha256: sha256Text,
  validated: z
    .object({
      scores: z.array(validationScoreSchema),
      losses: z.array(validationLossSchema).default([]),
      best: validationScoreSchema.partial({ score: true }).optional(),
    })
    .default({ scores: [], losses: [] }),
});

/** The parameters of the best state so far, beside the newest. */
const BEST = 'best';

export interface Checkpoint extends OptimizerState {
  validated: Validated;
  /** Of all steps so far: `loss.jsonl` may be gone, or damaged, when it is needed. */
  curve: readonly LossRecord[];
}

const fileOf = (directory: string, step: number) =>
  path.join(directory, `step-${String(step).padStart(8, '0')}.safetensors`);
const recordOf = (file: string) => file.replace(/\.safetensors$/, '.json');
const curveOf = (file: string) => file.replace(/\.safetensors$/, '.loss.jsonl');

/**
 * Writes a checkpoint; its record comes last, so one that has a record is whole.
 *
 * @returns the file
 */
export async function writeCheckpoint(
  directory: string,
  jobHash: string,
  state: OptimizerState & Partial<Checkpoint>,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = fileOf(directory, state.step);
  const { best, ...validated } = state.validated ?? { scores: [], losses: [] };
  const arrays = OPTIMIZER_STATE.map((name): [string, Float32Array] => [name, state.arrays[name]]);
  if (best) arrays.push([BEST, best.parameters]);
  await writeSafetensors(
    file,
    arrays.map(([name, data]) => ({ name, shape: [data.length], data })),
  );
  await writeJsonLines(curveOf(file), state.curve ?? []);
  await writeJson(recordOf(file), {
    step: state.step,
    jobHash,
    sha256: await hashFile(file),
    validated: { ...validated, best: best && { step: best.step, score: best.score } },
  });
  // Checkpoints of later steps are another job's, or damaged: this job would have resumed from them.
  const files = await checkpointFiles(directory);
  const newest = files.indexOf(file);
  const outdated = files.filter((_, index) => index <= newest - KEPT || index > newest);
  const filesOf = (old: string) => [recordOf(old), curveOf(old), old];
  await Promise.all(outdated.flatMap(filesOf).map((old) => rm(old, { force: true })));
  return file;
}

async function checkpointFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => /^step-\d+\.safetensors$/.test(name))
    .sort()
    .map((name) => path.join(directory, name));
}

/**
 * The newest whole checkpoint of this job. A damaged one is skipped with a note, and the one before it is
 * used; one of another job (other data, weights or settings) is ignored.
 */
export async function readNewestCheckpoint(
  directory: string,
  jobHash: string,
  note: (message: string) => void,
): Promise<Checkpoint | undefined> {
  for (const file of (await checkpointFiles(directory)).reverse()) {
    try {
      const record = await readJson(recordOf(file), recordSchema);
      if (record.jobHash !== jobHash) {
        note(`${file}: belongs to another job, not used`);
        continue;
      }
      if ((await hashFile(file)) !== record.sha256) throw new Error('its hash differs from the recorded one');
      const { best, ...found } = record.validated;
      const { arrays, parameters } = await readArrays(file);
      if (best && !parameters) throw new Error('the best state is missing');
      return {
        step: record.step,
        arrays,
        curve: await readCurve(directory, file, record.step),
        validated: { ...found, ...(best && parameters && { best: { ...best, parameters } }) },
      };
    } catch (error) {
      note(`${file}: damaged (${(error as Error).message}); the checkpoint before it is used`);
    }
  }
  return undefined;
}

/** Those of earlier versions of this program have no curve of their own. */
async function readCurve(directory: string, file: string, step: number): Promise<LossRecord[]> {
  for (const curve of [curveOf(file), path.join(directory, '..', LOSS_FILE)]) {
    const options = { tolerateTruncatedLastLine: true };
    const records = await readJsonLines(curve, lossRecordSchema, options).catch(() => []);
    const kept = records.slice(0, step);
    if (kept.length === step && kept.every((one, index) => one.step === index + 1)) return kept;
  }
  throw new Error('its loss curve is missing');
}

async function readArrays(
  file: string,
): Promise<{ arrays: OptimizerState['arrays']; parameters: Float32Array | undefined }> {
  const tensors = await openSafetensors(file);
  try {
    const arrays: Partial<OptimizerState['arrays']> = {};
    for (const name of OPTIMIZER_STATE) arrays[name] = await tensors.read(name);
    const parameters = tensors.tensors.has(BEST) ? await tensors.read(BEST) : undefined;
    return { arrays: arrays as OptimizerState['arrays'], parameters };
  } finally {
    await tensors.close();
  }
}
