/** `dataengine evaluate` on benchmarks that are asked in their authors' words, with a tiny model. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readJsonLines } from '../../src/core/read-json.ts';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { evaluationAnswerSchema } from '../../src/trainer/job-files.ts';
import { plainImage, writeTable } from '../evaluation/benchmarks/official-files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';
import { printedBy } from './in-this-process.ts';

describe('dataengine evaluate', { timeout: 120_000 }, () => {
  let model: string;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'evaluate-benchmarks-'));
    model = join(folder, 'model');
    await writeTinyModel(model);
    return () => rm(folder, { recursive: true, force: true });
  });

  async function evaluate(...options: string[]) {
    const output = join(await temporaryFolder(), 'scores');
    const printed = await printedBy('evaluate', '--model', model, '--output', output, ...options);
    const answers = await readJsonLines(join(output, 'ranking', 'losses.jsonl'), evaluationAnswerSchema);
    return { printed, answers, scores: await readScores(output) };
  }

  async function table(): Promise<string> {
    const file = join(await temporaryFolder(), 'Some Table_VAL.tsv');
    const image = (await plainImage('red')).toString('base64');
    const row = { question: 'Which color?', answer: 'red' };
    await writeTable(
      file,
      [
        { index: 0, ...row, image },
        { index: 1, ...row, image: 0 },
      ],
      ['index', 'question', 'answer', 'image'],
    );
    return file;
  }

  test("--tsv takes any file of VLMEvalKit's layout with a metric, under the file's name", async () => {
    const { answers, printed, scores } = await evaluate('--tsv', await table(), '--metric', 'anls');
    expect(answers).toHaveLength(2);
    for (const { losses, text } of answers) expect([losses, typeof text]).toEqual([[], 'string']);
    expect(scores).toMatchObject({ set: 'some-table_val', benchmark: 'tsv', measures: { anls: { count: 2 } } });
    expect(printed).toContain('anls');
  });

  test('--tsv needs a metric for short answers, and stands in place of --benchmark', async () => {
    const file = await table();
    await expect(evaluate('--tsv', file)).rejects.toThrow(/no metric for short answers is named/);
    await expect(evaluate('--tsv', file, '--benchmark', 'mmbench')).rejects.toThrow(
      /--tsv: stands in place of --benchmark/,
    );
  });

  test('a file that is refused leaves no folder', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'twice.tsv');
    const row = { index: 0, question: 'Which?', answer: 'red', image: (await plainImage('red')).toString('base64') };
    await writeTable(file, [row, row], ['index', 'question', 'answer', 'image']);
    const words = ['--tsv', file, '--metric', 'anls', '--model', model, '--output', join(folder, 'scores')];
    await expect(printedBy('evaluate', ...words)).rejects.toThrow(/0 is there twice/);
    expect(await readdir(folder)).toEqual(['twice.tsv']);
  });

  test('MME: ranked, with its sums in points; images count as clusters', async () => {
    const folder = await temporaryFolder();
    for (const category of ['count', 'OCR', 'code_reasoning']) {
      await mkdir(join(folder, category));
      await writeFile(join(folder, category, '1.jpg'), await plainImage('red'));
      await writeFile(join(folder, category, '1.txt'), 'Is it red?\tYes\nIs it blue?\tNo\n');
    }
    const { answers, printed, scores } = await evaluate('--benchmark', 'mme', '--file', folder, '--answers', 'ranked');
    expect(answers.map(({ losses }) => losses.length)).toEqual([2, 2, 2, 2, 2, 2]);
    const { combined, measures } = scores;
    expect(Object.keys(measures)).toEqual(['accuracy', 'accuracy+']);
    const points = Object.values(combined?.perception?.groups?.category ?? {});
    expect(points).toHaveLength(2);
    expect(combined?.perception?.value).toBeCloseTo(points.reduce((sum, one) => sum + one, 0));
    expect(printed).toMatch(/perception[ │]+[\d.]+ points/);
    expect(measures.accuracy?.images).toBe(3);
  });

  test('a question without an image is put in words alone', async () => {
    const file = join(await temporaryFolder(), 'HallusionBench.json');
    const common = {
      category: 'VS',
      subcategory: 'chart',
      set_id: '0',
      sample_note: 'x',
      question_id: '0',
      gt_answer: '1',
    };
    const records = [
      { ...common, visual_input: '0', figure_id: '0', question: 'Is it?', filename: null },
      { ...common, visual_input: '1', figure_id: '1', question: 'Is it?', filename: './VS/chart/0_1.png' },
    ];
    await writeFile(file, JSON.stringify(records));
    const images = await temporaryFolder();
    await mkdir(join(images, 'VS/chart'), { recursive: true });
    await writeFile(join(images, 'VS/chart/0_1.png'), await plainImage('blue'));
    const { answers, scores } = await evaluate('--benchmark', 'hallusion-bench', '--file', file, '--images', images);
    expect(answers.map(({ question_id: id }) => id)).toEqual(['VS_chart_0_0_0', 'VS_chart_0_1_0']);
    expect(scores.measures).toMatchObject({ aAcc: { count: 2 }, fAcc: { count: 1 }, qAcc: { count: 1 } });
  });
});
