/** A round up to its refined samples: three questions, each about an image of its own. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { writeGenerationRun } from '../../../bench/support/generation-run.ts';
import { runStepOnce } from '../../../src/core/manifest.ts';
import { writeJson, writeJsonLines } from '../../../src/core/write-file.ts';
import type { EngineSample } from '../../../src/datasets/engine-data.ts';
import { engineDataFile } from '../../../src/round/append/generated-data.ts';
import { rejectedByReasonFile, rejectedFile } from '../../../src/round/refine/results.ts';
import { keyOf } from '../../../src/round/review/decisions.ts';
import type { StepContext } from '../../../src/round/step-context.ts';
import { stepDirectory } from '../../../src/round/step-directory.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

export const samples: readonly EngineSample[] = ['cat', 'dog', 'bus'].map((thing, index) => ({
  image_id: index + 1,
  raw_instructions: `Question: Where is the ${thing}? …`,
  question_type: 'object_localization',
  question: `Where is the ${thing}?`,
  choices: ['on the left', 'on the right', 'in the middle', 'behind the tree'],
  correct_choice_idx: index,
  rationales: [`Explanation: The <b>${thing}</b> can be seen there.`],
}));

export const [first, second, third] = samples.map(keyOf) as [string, string, string];

export async function reviewedRound(refine: Record<string, unknown> = {}): Promise<StepContext> {
  const folder = await temporaryFolder();
  const context = await writeGenerationRun(folder, 3, { provider: 'local' });
  await mkdir(join(folder, 'images'));
  for (const image of [1, 2, 3]) {
    await sharp({ create: { width: 40 * image, height: 30, channels: 3, background: 'red' } })
      .jpeg()
      .toFile(join(folder, 'images', `${image}.jpg`));
  }
  const finish = (step: 'generate' | 'refine', outputs: string[]) =>
    runStepOnce({
      directory: stepDirectory(context.run, 1, step),
      step,
      inputs: {},
      work: async () => ({ outputs, metrics: { rejected: 2 } }),
    });
  await finish('generate', []);
  const directory = stepDirectory(context.run, 1, 'refine');
  await writeJson(join(directory, engineDataFile(1)), samples);
  await writeJsonLines(join(directory, rejectedFile), []);
  await writeJson(join(directory, rejectedByReasonFile), { skip: 2 });
  await finish('refine', [engineDataFile(1), rejectedFile, rejectedByReasonFile]);
  return { ...context, config: { ...context.config, refine: { ...context.config.refine, ...refine } } };
}
