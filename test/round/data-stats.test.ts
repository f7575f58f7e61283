import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeSamplePage } from '../../src/report/sample-page.ts';
import { dataStats, favoredLetter } from '../../src/round/data-stats.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

describe('data stats', () => {
  test('counts samples, types, lengths and letters of each dataset, and shows some', async () => {
    const folder = await temporaryFolder();
    const { config, run } = await tinyContext(await writeTinyRun(folder));
    const { datasets } = await dataStats(config, run);
    const aokvqa = datasets.find(({ name }) => name === 'aokvqa');
    expect(datasets.map(({ name }) => name)).toEqual(['aokvqa', 'cc_sbu_align', 'validation', 'test']);
    expect(aokvqa?.samples).toBe(24);
    expect(aokvqa?.leftOut).toEqual({});
    expect(aokvqa?.countsByType).toEqual({ attribute_recognition: 12, image_scene: 12 });
    expect(aokvqa?.correctByLetter).toEqual([6, 6, 6, 6]);
    expect(aokvqa?.length.mean).toBeGreaterThan(5);
    expect(aokvqa?.length.longest).toBeGreaterThanOrEqual(aokvqa?.length.p95 ?? 0);
    expect(datasets[1]?.correctByLetter).toEqual([]);

    const page = join(folder, 'samples.html');
    const shown = datasets.map(({ name, examples }) => ({ name, samples: examples }));
    await writeSamplePage(page, 'Samples', shown);
    const html = await readFile(page, 'utf8');
    expect(html.match(/<img src="data:image\/jpeg/g)).toHaveLength(shown.flatMap(({ samples }) => samples).length);
    expect(html).toContain('What color is the image?');
  });

  test("puts questions into the words of the model's family", async () => {
    const folder = await temporaryFolder();
    const { config, run } = await tinyContext(await writeTinyRun(folder));
    const promptsOf = async (path: string) => {
      const { datasets } = await dataStats({ ...config, model: { ...config.model, path } }, run);
      return datasets.slice(0, 2).map(({ examples }) => examples[0]?.prompt);
    };
    expect(await promptsOf('test/fixtures/tiny-llava')).toEqual([
      expect.stringMatching(/^USER: <image>\nWhat[\s\S]*\(A\)[\s\S]* ASSISTANT:$/),
      'USER: <image>\nDescribe this image in detail. ASSISTANT:',
    ]);
    expect(await promptsOf('test/fixtures/tiny-blip2')).toEqual([
      expect.stringMatching(/^###Human: <Img><ImageHere><\/Img> What/),
      '###Human: <Img><ImageHere></Img> Describe this image in detail.\n###Assistant: ',
    ]);
    // Before there is a model, nobody knows its words.
    expect(await promptsOf('nowhere')).toEqual([
      expect.stringMatching(/^What[^#]*\n$/),
      'Describe this image in detail.\n',
    ]);
  });
});

describe('favoredLetter', () => {
  const even = (count: number) => Array.from({ length: 4 }, () => count);

  test('knows that few samples have a fifth letter', () => {
    // A thousand samples of four choices and ten of five.
    expect(favoredLetter([252, 252, 252, 252, 2], [252, 252, 252, 252, 2])).toBeUndefined();
    expect(favoredLetter([250, 250, 250, 250, 10], [252, 252, 252, 252, 2])).toBe('E');
  });

  test('names a letter that is right too often for chance', () => {
    expect(favoredLetter([50, 800, 100, 50], even(250))).toBe('B');
    expect(favoredLetter([260, 245, 255, 240], even(250))).toBeUndefined();
    // Ten samples prove nothing.
    expect(favoredLetter([2, 5, 2, 1], even(2.5))).toBeUndefined();
    expect(favoredLetter([], [])).toBeUndefined();
  });
});
