/** What a finetune's inputs say of the generated data that it trains on. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashFile } from '../../src/core/hash.ts';
import { runStepOnce } from '../../src/core/manifest.ts';
import { roundDirectory } from '../../src/core/run-directory.ts';
import { writeJson } from '../../src/core/write-file.ts';
import { generatedData } from '../../src/round/append/generated-data.ts';
import { stepDirectory } from '../../src/round/step-directory.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

test('generated data is known by the hash of its file, so that other data is another input', async () => {
  const run = { root: await temporaryFolder() };
  const directory = stepDirectory(run, 1, 'append');
  const file = join(roundDirectory(run, 1), 'DataEngine_round1_data.json');
  const append = (samples: string[]) =>
    runStepOnce({
      directory,
      step: 'append',
      inputs: { samples },
      work: async () => {
        await writeJson(file, samples);
        return { outputs: [file], metrics: {} };
      },
    });
  await append(['one']);
  expect(await generatedData(run, [0, 1])).toEqual([{ round: 1, file, hash: await hashFile(file) }]);
  const [before] = await generatedData(run, [1]);
  await append(['another']);
  expect((await generatedData(run, [1]))[0]?.hash).not.toBe(before?.hash);
});
