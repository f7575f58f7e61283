/**
 * Each finished round's row of the table of rounds, kept in the run's directory (`round-<k>/round.json`): a later workflow
 * that continues the run starts with them.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { requireFence } from '../src/core/fence.ts';
import { fileExists } from '../src/core/files.ts';
import { readJson } from '../src/core/read-json.ts';
import { type RunDirectory, roundDirectory } from '../src/core/run-directory.ts';
import { writeJson } from '../src/core/write-file.ts';
import { type RoundSummary, roundSummarySchema } from '../workflows/inputs.ts';

const schemaVersion = 1;
const recordSchema = z.object({
  schemaVersion: z.literal(schemaVersion),
  summary: roundSummarySchema,
});

const recordFile = (run: RunDirectory, round: number) => join(roundDirectory(run, round), 'round.json');

/** Writes a round's row. Writing the same row again changes nothing. */
export async function writeRoundRecord(run: RunDirectory, summary: RoundSummary): Promise<void> {
  await requireFence();
  await writeJson(recordFile(run, summary.round), { schemaVersion, summary });
}

/** Reads the rows of the finished rounds, from round 0 up to the first round without one. */
export async function readRoundRecords(run: RunDirectory): Promise<RoundSummary[]> {
  const rounds: RoundSummary[] = [];
  for (let round = 0; await fileExists(recordFile(run, round)); round += 1) {
    const { summary } = await readJson(recordFile(run, round), recordSchema);
    rounds.push(summary);
  }
  return rounds;
}
