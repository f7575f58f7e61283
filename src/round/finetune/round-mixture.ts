import { join } from 'node:path';
import { writeMixture } from '../../datasets/mixture.ts';
import { generatedData } from '../append/generated-data.ts';
import { lineageBefore } from '../gate/lineage.ts';
import { type MixturePart, mixtureParts } from '../mixture-parts.ts';
import type { StepContext } from '../step-context.ts';

/** What a round trains on: the base data, its own and that of the rounds it is built upon. */
export interface RoundMixture {
  parts: MixturePart[];
  /**
   * Writes what the trainer reads (see `mixtureFiles`), with the paths of this machine.
   *
   * @returns how many samples there are to draw from
   */
  write(finetuneDirectory: string): Promise<number>;
}

/** The mixture of a round. */
export async function roundMixture(context: Pick<StepContext, 'config' | 'run' | 'round'>): Promise<RoundMixture> {
  const { config, run, round } = context;
  const { epochs, stepsPerEpoch, batchSize, groupSize = batchSize } = config.finetune;
  const { batching, captionPrompts: requests } = config.data;
  const parts = await mixtureParts(config, await generatedData(run, [...(await lineageBefore(context, round)), round]));
  const count = epochs * stepsPerEpoch * batchSize;
  return {
    parts,
    write: (finetuneDirectory) =>
      writeMixture(folderIn(finetuneDirectory), {
        parts,
        seed: config.seed,
        count,
        drawsOfOnePart: batching === 'one-dataset' ? groupSize : undefined,
        requests,
      }),
  };
}

/** Where a finetune has its samples and the order of them. */
export function mixtureFiles(finetuneDirectory: string): { samples: string; order: string } {
  const folder = folderIn(finetuneDirectory);
  return { samples: join(folder, 'samples.jsonl'), order: join(folder, 'order.json') };
}

const folderIn = (finetuneDirectory: string) => join(finetuneDirectory, 'mixture');
