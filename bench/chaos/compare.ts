/**
 * Compares the results of two runs of the same config.
 */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { versionHistory } from '../../src/datasets/versions.ts';
import { openSafetensors } from '../../src/model/files/safetensors.ts';
import type { DataEngineResult } from '../../workflows/messages.ts';
import { filesIn } from './files-in.ts';

export interface Finished {
  directory: string;
  result: DataEngineResult;
}

export interface Likeness {
  /** The samples of all dataset versions, byte for byte. */
  sameDataset: boolean;
  /** The largest difference of a score (as a share), of a loss, and of an adapter's value. */
  scores: number;
  losses: number;
  adapter: number;
}

/** Compares datasets, scores, losses and adapters of all rounds. */
export async function compareRuns(wanted: Finished, found: Finished): Promise<Likeness> {
  const rounds = wanted.result.rounds.map(({ round }) => round);
  const data = async ({ directory }: Finished) =>
    (await versionHistory(directory)).map(({ version, current, setAside }) => [
      version.round,
      current,
      setAside,
      version.files,
    ]);
  const scores = ({ result }: Finished) =>
    result.rounds.flatMap((row) =>
      [row.multipleChoice, row.directAnswer, row.testMultipleChoice, row.testDirectAnswer].map(
        (score) => (score ?? 0) / 100,
      ),
    );
  const losses = async ({ directory }: Finished) => {
    const all: number[] = [];
    for (const round of rounds) {
      const text = await readFile(join(directory, `round-${round}`, 'finetune', 'loss.jsonl'), 'utf8');
      all.push(
        ...text
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { loss: number }).loss),
      );
    }
    return all;
  };
  const adapter = async ({ directory }: Finished) => {
    const all: number[] = [];
    for (const round of rounds) {
      const file = await openSafetensors(join(directory, `round-${round}`, 'finetune', 'adapter_model.safetensors'));
      try {
        for (const name of [...file.tensors.keys()].sort()) for (const value of await file.read(name)) all.push(value);
      } finally {
        await file.close();
      }
    }
    return all;
  };
  return {
    sameDataset: JSON.stringify(await data(wanted)) === JSON.stringify(await data(found)),
    scores: largestDifference(scores(wanted), scores(found)),
    losses: largestDifference(await losses(wanted), await losses(found)),
    adapter: largestDifference(await adapter(wanted), await adapter(found)),
  };
}

/** Infinite where there are not as many of them. */
function largestDifference(wanted: readonly number[], found: readonly number[]): number {
  if (wanted.length !== found.length) return Number.POSITIVE_INFINITY;
  return wanted.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (found[index] as number))), 0);
}

/** Temporary and half-written files in a run, which none should have at its end. */
export async function leftovers(directory: string): Promise<string[]> {
  const isLeftover = (name: string) => name.endsWith('.tmp') || name.endsWith('.partial') || name === 'started.json';
  return (await filesIn(directory, isLeftover)).map((file) => relative(directory, file));
}
