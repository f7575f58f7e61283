import { join } from 'node:path';
import { type RunDirectory, roundDirectory } from '../../core/run-directory.ts';
import { finishedStep } from '../finished-step.ts';
import { steps } from '../steps.ts';

/** The name that the reference system gives a round's generated samples: `DataEngine_round<k>_data.json`. */
export function engineDataFile(round: number): string {
  return steps.append.publishes.replace('<k>', String(round));
}

/** The generated samples of one round, as its append step published them. */
export interface GeneratedData {
  round: number;
  file: string;
  hash: string;
}

/**
 * The generated samples of some rounds, such as those that are built upon. Round 0 has none.
 *
 * @throws InputError when one of these rounds has not appended its data
 */
export async function generatedData(run: RunDirectory, rounds: readonly number[]): Promise<GeneratedData[]> {
  const data: GeneratedData[] = [];
  for (const round of rounds.filter((number) => number > 0)) {
    const { manifest } = await finishedStep(run, round, 'append');
    const name = engineDataFile(round);
    const hash = manifest.outputs[`../${name}`];
    if (hash === undefined) throw new Error(`The step append of round ${round} has not published ${name}`);
    data.push({ round, file: join(roundDirectory(run, round), name), hash });
  }
  return data;
}
