/** Training checkpoints: three arrays, the step, and the hash of the job they belong to. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { hashFile } from '../../../core/hash.ts';
import { readJson } from '../../../core/read-json.ts';
import { writeJson } from '../../../core/write-file.ts';
import { openSafetensors, writeSafetensors } from '../../../model/files/safetensors.ts';
import type { OptimizerState } from './finetune-program.ts';
import { OPTIMIZER_STATE } from './optimizer.ts';

/** Checkpoints kept: the newest, and one to fall back on should it be damaged. */
const KEPT = 2;

const recordSchema = z.object({
  step: z.number().int().positive(),
  jobHash: z.string(),
  sha256: z.string(),
});

const fileOf = (directory: string, step: number) =>
  path.join(directory, `step-${String(step).padStart(8, '0')}.safetensors`);
const recordOf = (file: string) => file.replace(/\.safetensors$/, '.json');

/**
 * Writes a checkpoint; its record comes last, so one that has a record is whole.
 *
 * @returns the file
 */
export async function writeCheckpoint(directory: string, jobHash: string, state: OptimizerState): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = fileOf(directory, state.step);
  await writeSafetensors(
    file,
    OPTIMIZER_STATE.map((name) => ({ name, shape: [state.arrays[name].length], data: state.arrays[name] })),
  );
  await writeJson(recordOf(file), { step: state.step, jobHash, sha256: await hashFile(file) });
  // Checkpoints of later steps are another job's, or damaged: this job would have resumed from them.
  const files = await checkpointFiles(directory);
  const newest = files.indexOf(file);
  const outdated = files.filter((_, index) => index <= newest - KEPT || index > newest);
  await Promise.all(outdated.flatMap((old) => [rm(recordOf(old), { force: true }), rm(old, { force: true })]));
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
): Promise<OptimizerState | undefined> {
  for (const file of (await checkpointFiles(directory)).reverse()) {
    try {
      const record = await readJson(recordOf(file), recordSchema);
      if (record.jobHash !== jobHash) {
        note(`${file}: belongs to another job, not used`);
        continue;
      }
      if ((await hashFile(file)) !== record.sha256) throw new Error('its hash differs from the recorded one');
      return { step: record.step, arrays: await readArrays(file) };
    } catch (error) {
      note(`${file}: damaged (${(error as Error).message}); the checkpoint before it is used`);
    }
  }
  return undefined;
}

async function readArrays(file: string): Promise<OptimizerState['arrays']> {
  const tensors = await openSafetensors(file);
  try {
    const arrays: Partial<OptimizerState['arrays']> = {};
    for (const name of OPTIMIZER_STATE) arrays[name] = await tensors.read(name);
    return arrays as OptimizerState['arrays'];
  } finally {
    await tensors.close();
  }
}
