import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { writeJsonLines } from '../../src/core/write-file.ts';
import { dataLengths } from '../../src/round/data-lengths.ts';
import { printedBy } from '../cli/in-this-process.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

afterEach(() => {
  process.exitCode = undefined;
});

/** A tiny model and conversations, the first `long` of which have answers of so many words. */
async function tinyRun(records: number, { long = 0, finetune = {} }: { long?: number; finetune?: object } = {}) {
  const folder = await temporaryFolder();
  const model = join(folder, 'model');
  await writeTinyModel(model, { family: 'minigpt4' });
  const file = await writeTinyRun(folder, (config) => ({
    ...config,
    model: { path: model },
    data: { ...config.data, train: [{ dataset: 'conversations', file: 'own.jsonl' }] },
    finetune: { ...config.finetune, ...finetune },
  }));
  const conversation = (index: number) => [
    { from: 'human', value: '<image>\nWhat is it?' },
    { from: 'gpt', value: index < long ? 'a cat '.repeat(200) : 'a cat' },
  ];
  await writeJsonLines(
    join(folder, 'data/own.jsonl'),
    Array.from({ length: records }, (_, index) => ({
      id: `own-${index}`,
      image: '000000000001.jpg',
      conversations: conversation(index),
    })),
  );
  const { config, ...context } = await tinyContext(file);
  return { file, config, context };
}

describe('data check counts tokens', () => {
  test('with those of the image, and names each sample that is too long by file and record', async () => {
    const { file, config, context } = await tinyRun(20, { long: 1 });
    const [found] = await dataLengths(config, context);
    const { tokens } = found as NonNullable<typeof found>;
    expect(tokens.least).toBe(tokens.median);
    // The image has four, and the family's words are around a question and its answer.
    expect(tokens.least).toBeGreaterThan(4 + 10);
    expect(tokens.most).toBeGreaterThan(200 + tokens.least);
    expect(found).toMatchObject({
      item: 'own.jsonl',
      samples: 20,
      counted: 20,
      tooLong: [
        { record: 'own-0', tokens: tokens.most, problem: 'is beyond finetune.maximumTokens: 160', isError: false },
      ],
    });
    const printed = await printedBy('data', 'check', file);
    expect(printed).toContain('own.jsonl: own-0');
    expect(printed).toMatch(/is beyond finetune\.maximumTokens: 160/);
    expect(process.exitCode).toBeUndefined();
  });

  test('where a sample must not be too long, or its image leaves no room, the check fails', async () => {
    const strict = await tinyRun(3, {
      long: 1,
      finetune: { maximumSequence: 60, tooLong: 'error', maximumTokens: 900 },
    });
    expect(await printedBy('data', 'check', strict.file)).toContain('is beyond finetune.maximumSequence: 60');
    expect(process.exitCode).toBe(2);
    process.exitCode = undefined;
    const crowded = await tinyRun(1, { finetune: { maximumSequence: 6 } });
    expect(await printedBy('data', 'check', crowded.file)).toContain('its image leaves no room for words');
    expect(process.exitCode).toBe(2);
  });

  test('of a large dataset a part, drawn by the seed, and the longest of all', async () => {
    const { config, context, file } = await tinyRun(10_300, { long: 3 });
    const [found] = await dataLengths(config, context);
    expect(found?.samples).toBe(10_300);
    expect(found?.counted).toBeGreaterThanOrEqual(10_000);
    expect(found?.counted).toBeLessThanOrEqual(10_100);
    expect(found?.tooLong.map(({ record }) => record).sort()).toEqual(['own-0', 'own-1', 'own-2']);
    expect(await dataLengths(config, context)).toEqual([found]);
    expect(await printedBy('data', 'check', file)).toMatch(
      /: 10\d{3} of 10300 samples are counted, drawn at random and the longest/,
    );
  });

  test('without a model nothing is counted, and the data is still checked', async () => {
    const { file, config } = await tinyRun(2);
    await writeFile(join(config.model.path, 'tokenizer.json'), '{');
    const printed = await printedBy('data', 'check', file);
    expect(printed).toMatch(/The data is complete/);
    expect(printed).toMatch(/Tokens are not counted: .*tokenizer\.json/);
    expect(process.exitCode).toBeUndefined();
  });
});
