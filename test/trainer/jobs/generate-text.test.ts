import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { generateTexts, type TextRequest } from '../../../src/trainer/jobs/generate-text.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeTinyModel, writeTinyQuestions } from '../../helpers/tiny-model.ts';

const settings = { strategy: { kind: 'greedy' }, maximumNewTokens: 6 } as const;

test('answers questions about images, each the same alone and in a batch', async () => {
  const folder = await temporaryFolder();
  const model = path.join(folder, 'model');
  await mkdir(model);
  await writeTinyModel(model);
  const { images, questions } = await writeTinyQuestions(folder, 3);
  const requests = questions.map(
    ({ question, image_id }, index): TextRequest => ({
      id: `${index}`,
      prompt: question,
      image: path.join(images, `${String(image_id).padStart(12, '0')}.jpg`),
    }),
  );
  const together = await generateTexts(model, requests, settings, { batchSize: 2 });
  const alone = await generateTexts(model, requests.slice(2), settings);
  expect(together).toHaveLength(3);
  expect(together[2]).toEqual(alone[0]);
  for (const { tokenIds } of together) expect(tokenIds.length).toBeGreaterThan(0);

  await expect(generateTexts(model, [{ id: '0', prompt: 'What is it?' }], settings)).rejects.toThrow(
    'the prompt is about an image, and none is given. Name an image',
  );
  const blind = [{ id: '0', prompt: '###Human: Hello###Assistant: ', isRaw: true, image: requests[0]?.image }];
  await expect(generateTexts(model, blind, settings)).rejects.toThrow('Put <ImageHere> where the image goes');
});

test("ends at the end tokens of the model's generation_config.json, and names what of it is not followed", async () => {
  const folder = await temporaryFolder();
  const model = path.join(folder, 'model');
  await mkdir(model);
  await writeTinyModel(model);
  const { images, questions } = await writeTinyQuestions(folder, 1);
  const image = path.join(images, `${String(questions[0]?.image_id).padStart(12, '0')}.jpg`);
  const requests = [{ id: '0', prompt: 'What is it?', image }];
  const [whole] = await generateTexts(model, requests, settings);
  const third = whole?.tokenIds[2] as number;
  const first = whole?.tokenIds.indexOf(third) as number;
  const generation = path.join(model, 'generation_config.json');
  await writeFile(generation, JSON.stringify({ eos_token_id: [2, third] }));
  const [cut] = await generateTexts(model, requests, settings);
  expect(cut).toMatchObject({ tokenIds: whole?.tokenIds.slice(0, first + 1), finish: 'end' });
  await writeFile(generation, JSON.stringify({ repetition_penalty: 1.2 }));
  await expect(generateTexts(model, requests, settings)).rejects.toMatchObject({
    name: 'InputError',
    file: generation,
    field: 'repetition_penalty',
  });
});
