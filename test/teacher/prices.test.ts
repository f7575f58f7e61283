import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { costOf, readPrice } from '../../src/teacher/prices.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const file = 'configs/prices.yaml';

test('a dated model has the price of the longest name that it starts with', async () => {
  expect(await readPrice(file, 'gpt-4-0613', 'online')).toEqual(await readPrice(file, 'gpt-4', 'online'));
  expect(await readPrice(file, 'gpt-4-turbo-2024-04-09', 'online')).toEqual(
    await readPrice(file, 'gpt-4-turbo', 'online'),
  );
  expect(await readPrice(file, 'gpt-400', 'online')).toBeUndefined();
});

test('prices are for a million tokens, and batches cost half', async () => {
  const tokens = { promptTokens: 1_000_000, completionTokens: 500_000 };
  expect(costOf(await readPrice(file, 'gpt-4', 'online'), tokens)).toBeCloseTo(60);
  expect(costOf(await readPrice(file, 'gpt-4', 'batch'), tokens)).toBeCloseTo(30);
  expect(costOf(undefined, tokens)).toBe(0);
});

test('a wrong price names its field', async () => {
  const wrong = join(await temporaryFolder(), 'prices.yaml');
  await writeFile(wrong, 'currency: USD\nmodels:\n  gpt-4: { input: -1, output: 1 }\n');
  await expect(readPrice(wrong, 'gpt-4', 'online')).rejects.toThrow(/prices\.yaml.*models.*gpt-4.*input/);
});
