/**
 * Writes the example's data: questions in Parquet with the charts inside, and the pool: a folder of charts, with facts about
 * each.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type SeededRandom, seededRandom } from '../../src/core/seeded-random.ts';
import { writeJsonLines } from '../../src/core/write-file.ts';
import { sqlText } from '../../src/datasets/tables/parquet.ts';
import { factsOf, randomChart, renderChart } from './chart.ts';
import { askAboutChart, CHART_QUESTION_TYPES, type ChartQuestionType } from './questions.ts';

/** Nine tenths of the base data are of three types, so that round 0 is weak at the others. */
const TRAINING_SHARES: Record<ChartQuestionType, number> = {
  counting: 0.3,
  neighbor: 0.3,
  length: 0.3,
  extreme: 0.025,
  ratio: 0.025,
  difference: 0.025,
  comparison: 0.025,
};
const TRAINING_QUESTIONS = 3000;
const VALIDATION_QUESTIONS = 60;
const TEST_QUESTIONS = 100;
const POOL_IMAGES = 1500;

interface Row {
  id: string;
  chart: string;
  question: string;
  answer: string;
  question_type: ChartQuestionType;
}

/** A new chart with a question of that type, rendered into `folder`. */
async function writeQuestion(folder: string, id: string, type: ChartQuestionType, random: SeededRandom): Promise<Row> {
  for (let attempt = 0; ; attempt += 1) {
    const own = random.fork(attempt);
    const chart = randomChart(own);
    const asked = askAboutChart(type, chart, own);
    if (!asked) continue;
    await writeFile(join(folder, `${id}.png`), await renderChart(chart));
    return { id, chart: `${id}.png`, ...asked, question_type: type };
  }
}

/** Parquet as `datasets` stores images: a column of bytes and path. */
async function writeParquet(file: string, rows: readonly Row[], images: string): Promise<void> {
  const list = `${file}.jsonl`;
  await writeJsonLines(list, rows);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`
    COPY (
      SELECT id, {'bytes': content, 'path': chart} AS image, question, answer, question_type
      FROM read_json(${sqlText(list)}, format = 'newline_delimited')
      JOIN read_blob(${sqlText(join(images, '*.png'))}) ON parse_filename(read_blob.filename) = chart ORDER BY id
    ) TO ${sqlText(file)} (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  await rm(list);
}

/** Writes `train.parquet`, `validation.parquet`, `test.parquet`, `pool/` and `facts.jsonl`: the same for the same seed. */
export async function writeChartsData(seed: number, root: string): Promise<void> {
  const random = seededRandom(seed).fork('charts');
  const types = (count: number) => CHART_QUESTION_TYPES.flatMap((type) => Array<ChartQuestionType>(count).fill(type));
  const shares = CHART_QUESTION_TYPES.map((type) => TRAINING_SHARES[type]);
  const train = Array.from({ length: TRAINING_QUESTIONS }, (_, index) =>
    random.fork('type').fork(index).pickWeighted(CHART_QUESTION_TYPES, shares),
  );
  const splits = { train, validation: types(VALIDATION_QUESTIONS), test: types(TEST_QUESTIONS) };
  for (const [split, wanted] of Object.entries(splits)) {
    const images = join(root, `${split}-charts`);
    await mkdir(images, { recursive: true });
    const rows: Row[] = [];
    for (const [index, type] of wanted.entries()) {
      const id = `${split}-${String(index).padStart(5, '0')}`;
      rows.push(await writeQuestion(images, id, type, random.fork(split).fork(index)));
    }
    await writeParquet(join(root, `${split}.parquet`), rows, images);
    await rm(images, { recursive: true });
  }
  const pool = join(root, 'pool');
  await mkdir(pool, { recursive: true });
  const facts: { image: string; facts: string[] }[] = [];
  for (let index = 0; index < POOL_IMAGES; index += 1) {
    const chart = randomChart(random.fork('pool').fork(index));
    const image = `chart-${String(index).padStart(4, '0')}.png`;
    await writeFile(join(pool, image), await renderChart(chart));
    facts.push({ image, facts: factsOf(chart) });
  }
  await writeJsonLines(join(root, 'facts.jsonl'), facts);
}
