/**
 * The reference system's own code (github.com/opendatalab/MLLM-DataEngine, tag version1.0), run on files of ours. What it
 * computes is recorded in `test/fixtures/reference-system`, so that the tests don't need it. To check the records, or with
 * vitest's `-u` to write them again:
 *
 *     git clone --branch version1.0 https://github.com/opendatalab/MLLM-DataEngine /tmp/reference
 *     DATAENGINE_REFERENCE=/tmp/reference npx vitest run test/reference-system
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';

const COMMIT = 'e4fb0f69d4514a1675b4dc8d7dd59928e3385c35';

/** The folder of the reference system, where there is one. */
export const checkout = process.env.DATAENGINE_REFERENCE;

export const noCheckout = 'needs DATAENGINE_REFERENCE, a checkout of the reference system at version1.0';

/** See `test/fixtures/run-reference-system.py`. */
export type ReferenceJob =
  | { run: 'samples'; file: string; images: string; format: 'QM-A' | 'QM-AE' }
  | { run: 'scores'; answers: string; questions: string }
  | { run: 'queries'; bad_cases: string; weights: string; count: number }
  | { run: 'post-process'; file: string };

interface Record {
  commit: string;
  /** SHA-256 of the files whose code ran. */
  code: { [file: string]: string };
  results: { [job: string]: unknown };
}

const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url).pathname;
const recordFile = (name: string) => fixture(`reference-system/${name}.json`);

/** What the reference system made of the jobs when they were recorded. */
export async function recorded<T>(name: string): Promise<{ [job: string]: T }> {
  return (JSON.parse(await readFile(recordFile(name), 'utf8')) as Record).results as { [job: string]: T };
}

/** Runs the jobs, and expects the recorded results. */
export async function expectRecorded(name: string, jobs: { [job: string]: ReferenceJob }): Promise<void> {
  const python = spawn('python3', [fixture('run-reference-system.py'), checkout as string], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  python.stdin.end(JSON.stringify(jobs));
  const { code, results } = JSON.parse(await text(python.stdout)) as Omit<Record, 'commit'>;
  const record: Record = { commit: COMMIT, code, results };
  await expect(`${JSON.stringify(record, null, 2)}\n`).toMatchFileSnapshot(recordFile(name));
}
