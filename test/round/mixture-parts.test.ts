import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { mixtureParts } from '../../src/round/mixture-parts.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

describe('the data of an earlier data engine as a base dataset', () => {
  it('is a part of the mixture with images, answers and ratio of its own', async () => {
    const root = await temporaryFolder();
    await mkdir(join(root, 'gptvqa'));
    const sample = {
      image_id: 9,
      raw_instructions: 'Question: …',
      question_type: 'attribute',
      question: 'What color is the cup?',
      choices: ['red', 'blue', 'green', 'white'],
      correct_choice_idx: 1,
      rationales: ['It is blue.'],
    };
    await writeFile(join(root, 'gptvqa/DataEngine_round1_data.json'), JSON.stringify([sample]));
    const part = 'dataset: gptvqa, file: gptvqa/DataEngine_round1_data.json, sampleRatio: 70';
    const config = join(root, 'run.yaml');
    await writeFile(
      config,
      `model: { path: data/stage1 }\ndata: { root: ${root}, format: QMAE, train: [{ ${part} }] }\n`,
    );

    const [only] = await mixtureParts(await loadConfig(config), []);
    expect(only).toMatchObject({ name: 'DataEngine_round1_data', sampleRatio: 70 });
    const samples = [];
    for await (const read of only?.samples() ?? []) samples.push(read);
    expect(samples).toEqual([
      {
        id: 'DataEngine_round1_data-0',
        source: 'DataEngine_round1_data',
        image: join(root, 'COCO2017/train2017/000000000009.jpg'),
        prompt: expect.stringContaining('What color is the cup?\n(A) red (B) blue (C) green (D) white'),
        answer: expect.stringMatching(/^The answer is \(B\) blue\..*It is blue\./),
        questionType: 'attribute',
      },
    ]);
  });

  it('must name its file', async () => {
    const config = join(await temporaryFolder(), 'run.yaml');
    await writeFile(config, 'model: { path: m }\ndata: { root: d, train: [{ dataset: gptvqa }] }\n');
    await expect(loadConfig(config)).rejects.toThrow('data.train[0].file: a gptvqa dataset must name its file');
  });
});
