/** A run of `npm run bridge` that is kept as a fixture. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { resultSchema } from '../../../bench/bridge/compare.ts';

const recordedSchema = z.object({
  questions: z.number(),
  images: z.number(),
  results: z.array(resultSchema.omit({ key: true, files: true })),
});

/** @param fixtures the folder of one program's run */
export function readRecordedRun(fixtures: string): z.output<typeof recordedSchema> {
  return recordedSchema.parse(JSON.parse(readFileSync(`${fixtures}/results.json`, 'utf8')));
}
