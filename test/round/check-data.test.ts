import { mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { evaluateSchema } from '../../src/config/evaluate-schema.ts';
import { benchmarkOf } from '../../src/evaluation/benchmarks/index.ts';
import { checkData } from '../../src/round/check-data.ts';
import { prepareData } from '../../src/round/prepare-data/prepare-data.ts';
import { steps } from '../../src/round/steps.ts';
import { mmbenchRows, writeSeedBench, writeTable } from '../evaluation/benchmarks/official-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { imageName } from './tiny-dataset.ts';
import { tinyContext, writeTinyRun } from './tiny-run.ts';

async function tinyRun() {
  const folder = await temporaryFolder();
  const context = await tinyContext(await writeTinyRun(folder));
  const data = (path: string) => join(folder, 'data', path);
  const problems = async () =>
    (await checkData(context.config, context)).problems.map(({ item, problem, remedy }) => [item, problem, remedy]);
  return { context, data, problems };
}

const image = (id: number) => `COCO2017/train2017/${imageName(id)}`;

describe('data check', () => {
  test('finds nothing in data that is whole', async () => {
    const { context } = await tinyRun();
    expect(await checkData(context.config, context)).toMatchObject({ questions: 12, problems: [] });
  });

  test('reports everything that is wrong, not only the first', async () => {
    const { context, data, problems } = await tinyRun();
    await rm(data(image(3)));
    await truncate(data(image(4)), 200);
    await sharp({ create: { width: 10, height: 24, channels: 3, background: 'red' } })
      .jpeg()
      .toFile(data('other.jpg'));
    await rename(data('other.jpg'), data(image(5)));
    await rename(data('COCO2017/val2017'), data('elsewhere'));
    const file = data('A-OKVQA/aokvqa_v1p0_test.json');
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, 300));
    await rm(data('cc_sbu_align/filter_cap.json'));
    await mkdir(data('MMBench'));
    await writeFile(data('MMBench/mmbench_dev.tsv'), 'index\tquestion\tA\tB\n1\tx\ta\tb\n');

    const found = await problems();
    const of = (item: string) => found.find(([name]) => name?.startsWith(item)) ?? [];
    expect(of(image(3))).toEqual([image(3), 'no such image', expect.stringContaining('train2017.zip')]);
    expect(of(image(4))[1]).toMatch(/cut short/);
    expect(of(image(5))[1]).toBe('is 10 x 24, but the annotations say 32 x 24');
    expect(of('COCO2017/val2017')).toEqual([
      'COCO2017/val2017',
      expect.stringMatching(/^no such folder; 8 images/),
      expect.stringContaining('val2017.zip'),
    ]);
    expect(of('A-OKVQA/aokvqa_v1p0_test.json')[1]).toMatch(/unexpected end/);
    expect(of('cc_sbu_align')).toEqual([
      'cc_sbu_align/filter_cap.json',
      'no such file',
      expect.stringContaining('MiniGPT-4'),
    ]);
    expect(of('MMBench')[0]).toBe('MMBench/mmbench_dev.tsv:2: image');
    expect(found).toHaveLength(7);

    // A run reports all of it before it uses a GPU.
    await expect(prepareData(context)).rejects.toMatchObject({
      name: 'InputError',
      message: expect.stringMatching(/7 things are missing or wrong:[\s\S]*MiniGPT-4[\s\S]*train2017\.zip/),
    });
  });

  test('counts the records that are not trained on, by reason; a run reports them too', async () => {
    const { context, data } = await tinyRun();
    const train = data('A-OKVQA/aokvqa_v1p0_train.json');
    const [first, second, third, ...others] = JSON.parse(await readFile(train, 'utf8'));
    const changed = [
      { ...first, choices: [...first.choices.slice(1), ''] },
      { ...second, choices: ['', ...second.choices.slice(1)] },
      { ...third, rationales: ['The description says so.'] },
    ];
    await writeFile(train, JSON.stringify([...changed, ...others]));
    const countsByReason = { 'a choice is empty': 2, 'the explanation mentions a description': 1 };
    const { problems, leftOut } = await checkData(context.config, context);
    expect(problems).toEqual([]);
    expect(leftOut).toEqual([{ item: 'A-OKVQA/aokvqa_v1p0_train.json', countsByReason }]);

    const outcome = await prepareData(context);
    expect(outcome.leftOut).toEqual(countsByReason);
    const notes = outcome.notes?.map((note) => `; ${note}`).join('') ?? '';
    expect(steps['prepare-data'].summary(outcome)).toBe(
      `${outcome.questions} questions, ${outcome.images} images; records left out: ` +
        `a choice is empty (2), the explanation mentions a description (1)${notes}`,
    );
  });

  test('looks at the benchmarks of the config wherever they are, and at their images', async () => {
    const { context, data } = await tinyRun();
    const { images } = await writeSeedBench(data('elsewhere'));
    await writeTable(data('elsewhere/mmbench.tsv'), await mmbenchRows());
    const seedBench = {
      benchmark: 'seed-bench',
      file: 'elsewhere/SEED-Bench.json',
      images: 'elsewhere/SEED-Bench-image',
    };
    const benchmarks = [seedBench, { benchmark: 'mmbench', file: 'elsewhere/mmbench.tsv' }];
    const evaluate = evaluateSchema.parse({ benchmarks });
    const config = { ...context.config, evaluate };
    expect(await checkData(config, context)).toMatchObject({ questions: 25, problems: [] });

    await truncate(join(images, '2_2'), 100);
    await rm(data('elsewhere/mmbench.tsv'));
    const { problems } = await checkData(config, context);
    expect(problems.map(({ item, problem }) => [item, problem])).toEqual([
      ['elsewhere/mmbench.tsv', 'no such file'],
      ['elsewhere/SEED-Bench-image/2_2', expect.stringMatching(/cut short/)],
    ]);
    // A blind one needs no image.
    const blind = evaluateSchema.parse({ benchmarks: [{ ...seedBench, blind: true }] });
    expect((await checkData({ ...config, evaluate: blind }, context)).problems).toEqual([]);
  });

  test('reads a benchmark file of the config once, also in its official folder and asked twice', async () => {
    const { context, data } = await tinyRun();
    await writeSeedBench(data('SEED-Bench'));
    await writeTable(data('MMBench/mmbench_dev.tsv'), await mmbenchRows());
    const seedBench = {
      benchmark: 'seed-bench',
      file: 'SEED-Bench/SEED-Bench.json',
      images: 'SEED-Bench/SEED-Bench-image',
    };
    const benchmarks = [
      seedBench,
      { ...seedBench, blind: true },
      { benchmark: 'mmbench', file: 'MMBench/mmbench_dev.tsv' },
    ];
    const config = { ...context.config, evaluate: evaluateSchema.parse({ benchmarks }) };
    const read = vi.spyOn(benchmarkOf('seed-bench'), 'read');
    const check = vi.spyOn(benchmarkOf('mmbench'), 'check');
    onTestFinished(() => void vi.restoreAllMocks());

    const before = await checkData(context.config, context);
    expect([read.mock.calls.length, check.mock.calls.length]).toEqual([1, 1]);
    const checked = await checkData(config, context);
    expect([read.mock.calls.length, check.mock.calls.length]).toEqual([2, 2]);
    expect(checked).toMatchObject({ questions: 12 + 4 + 4 + 9, images: before.images + 2, problems: [], leftOut: [] });

    // Here the images that MMBench's file holds are written out, and looked at too.
    const prepared = await prepareData({ ...context, config });
    expect(prepared).toMatchObject({ questions: checked.questions, images: checked.images + 2 });
    expect([read.mock.calls.length, check.mock.calls.length]).toEqual([3, 2]);
  });

  test('names what to download when nothing is there', async () => {
    const { data, problems } = await tinyRun();
    await rm(data(''), { recursive: true });
    const found = await problems();
    expect(found.map(([item]) => item)).toEqual([
      'A-OKVQA/aokvqa_v1p0_train.json',
      'cc_sbu_align/filter_cap.json',
      'A-OKVQA/aokvqa_v1p0_val.json',
      'A-OKVQA/aokvqa_v1p0_test.json',
      'COCO2017/annotations/instances_train2017.json',
    ]);
    for (const [, problem, remedy] of found) {
      expect(problem).toBe('no such file');
      expect(remedy).toMatch(/^Download/);
    }
  });
});
