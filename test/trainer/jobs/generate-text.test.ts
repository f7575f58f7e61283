import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { generateTexts, type TextRequest } from '../../../src/trainer/jobs/generate-text.ts';
import { writeTinyModel, writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

const settings = { strategy: { kind: 'greedy' }, maximumNewTokens: 6 } as const;

test('answers questions about pictures, each the same alone and in a batch', async () => {
  const folder = await temporaryFolder();
  const model = path.join(folder, 'model');
  await mkdir(model);
  await writeTinyModel(model);
  const { pictures, questions } = await writeTinyQuestions(folder, 3);
  const requests = questions.map(
    ({ question, image_id }, index): TextRequest => ({
      id: `${index}`,
      prompt: question,
      picture: path.join(pictures, `${String(image_id).padStart(12, '0')}.jpg`),
    }),
  );
  const together = await generateTexts(model, requests, settings, { batchSize: 2 });
  const alone = await generateTexts(model, requests.slice(2), settings);
  expect(together).toHaveLength(3);
  expect(together[2]).toEqual(alone[0]);
  for (const { tokenIds } of together) expect(tokenIds.length).toBeGreaterThan(0);

  await expect(generateTexts(model, [{ id: '0', prompt: 'What is it?' }], settings)).rejects.toThrow(
    'the prompt is about a picture, and none is given. Name a picture',
  );
  const blind = [{ id: '0', prompt: '###Human: Hello###Assistant: ', isRaw: true, picture: requests[0]?.picture }];
  await expect(generateTexts(model, blind, settings)).rejects.toThrow('Put <ImageHere> where the picture goes');
});
