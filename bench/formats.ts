/**
 * Files that people have, read as streams: a million records of messages as JSON lines, and 200 Parquet shards with as many
 * questions, decoded and validated, ours against Hugging Face's `load_dataset(streaming=True)` in Python. Both sides do the
 * same: each record is read, its roles, texts and images are checked, and its characters are counted. Each reading is in a
 * process of its own; the two sides take turns, so that both meet the same machine.
 *
 * Ends with `{"bench":"formats","timeRatio":…,"memoryRatio":…,"peakMiB":…}`: ours by theirs, of the format where that is
 * worst. At most 1.0 means as fast and as small. Python needs `datasets`: the one that DATASETS_PYTHON names, or the one on the
 * PATH.
 *
 * Usage: npm run bench:formats [-- --records 1000000 --shards 200 --repeats 3]
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { readQuestionRows } from '../src/datasets/own-questions.ts';
import { sqlText } from '../src/datasets/tables/parquet.ts';
import { trainDatasets } from '../src/datasets/train-datasets.ts';
import { writeJsonItems } from '../src/datasets/write-conversations.ts';
import { median } from './support/statistics.ts';

const { values: flags } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    shards: { type: 'string', default: '200' },
    repeats: { type: 'string', default: '3' },
    part: { type: 'string' },
  },
});
const [records, shards, repeats] = [flags.records, flags.shards, flags.repeats].map(Number) as [number, number, number];
const folder = resolve('.cache', 'bench', `formats-${records}-${shards}`);
const sources = { messages: join(folder, 'messages.jsonl'), parquet: join(folder, 'questions') };
type Source = keyof typeof sources;

interface Reading {
  records: number;
  characters: number;
  seconds: number;
  peakMiB: number;
}

async function* messages() {
  for (let index = 0; index < records; index += 1) {
    yield {
      id: `sample-${index}`,
      messages: [
        { role: 'user', content: `<image>What is number ${index} of this image, and where is it?` },
        {
          role: 'assistant',
          content: `It is number ${index}. ${'The answer says a little more than this. '.repeat(3)}`,
        },
      ],
      images: [`photos/${index % 1000}/${index}.jpg`],
      question_type: 'image_scene',
    };
  }
}

async function writeShards(): Promise<void> {
  await mkdir(sources.parquet, { recursive: true });
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const rows = Math.ceil(records / shards);
  for (let shard = 0; shard < shards; shard += 1) {
    const name = `train-${String(shard).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.parquet`;
    await connection.run(`COPY (
      SELECT 'question-' || i AS id, 'photos/' || (i % 1000) || '/' || i || '.jpg' AS image,
        'What is number ' || i || ' of this image?' AS question, ['a cat', 'a dog', 'a bird ' || i, 'a fish'] AS choices,
        i % 4 AS correct_choice_idx, ['One sees that it is number ' || i || '.'] AS rationales, 'image_scene' AS question_type
      FROM range(${shard * rows}, ${Math.min(records, (shard + 1) * rows)}) AS t(i)
    ) TO ${sqlText(join(sources.parquet, name))} (FORMAT parquet, COMPRESSION zstd)`);
  }
}

/** Our side, in a process of its own. */
async function read(source: Source): Promise<Reading> {
  const start = performance.now();
  let count = 0;
  let characters = 0;
  if (source === 'messages') {
    // The folder is only named: no image is opened on either side.
    const images = { path: folder, fileOf: async (id: number | string) => String(id) };
    for await (const record of trainDatasets.conversations.read({ name: 'x', path: sources.messages, images })) {
      count += 1;
      characters += lengthOf(record);
    }
  } else {
    for await (const { question, choices = [] } of readQuestionRows({ file: sources.parquet })) {
      count += 1;
      characters += question.length + choices.reduce((sum, { length }) => sum + length, 0);
    }
  }
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  return { records: count, characters, seconds: (performance.now() - start) / 1000, peakMiB };
}

/** Of all texts of a record: both sides have to have decoded them. */
function lengthOf(record: object): number {
  return Object.values(record).reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), 0);
}

async function inProcess(program: string, args: readonly string[]): Promise<Reading> {
  const { stdout } = await promisify(execFile)(program, args, {
    env: { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: join(folder, 'cache') },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Reading;
}

const python = process.env.DATASETS_PYTHON ?? 'python3';
const sides = {
  ours: (source: Source) =>
    inProcess(process.execPath, [
      ...['--import', 'tsx', import.meta.filename, '--part', source],
      ...['--records', String(records), '--shards', String(shards)],
    ]),
  theirs: (source: Source) =>
    inProcess(python, [join(import.meta.dirname, 'formats', 'stream.py'), source, sources[source]]),
};

async function compare(source: Source) {
  const readings = { ours: [] as Reading[], theirs: [] as Reading[] };
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const side of ['ours', 'theirs'] as const) {
      const reading = await sides[side](source);
      if (reading.records !== records) throw new Error(`${side} read ${reading.records} of ${records} ${source}`);
      readings[side].push(reading);
      const { seconds, peakMiB } = reading;
      console.log(`${source}, ${side}: ${seconds.toFixed(1)} s, peak ${peakMiB.toFixed(0)} MiB`);
    }
  }
  const of = (side: 'ours' | 'theirs', key: 'seconds' | 'peakMiB') => median(readings[side].map((one) => one[key]));
  return {
    timeRatio: of('ours', 'seconds') / of('theirs', 'seconds'),
    memoryRatio: of('ours', 'peakMiB') / of('theirs', 'peakMiB'),
    peakMiB: Math.max(...readings.ours.map(({ peakMiB }) => peakMiB)),
  };
}

if (flags.part !== undefined) console.log(JSON.stringify(await read(flags.part as Source)));
else {
  await mkdir(folder, { recursive: true });
  const isThere = (path: string) => stat(path).catch(() => undefined);
  if (!(await isThere(sources.messages))) await writeJsonItems(sources.messages, messages());
  if (!(await isThere(sources.parquet))) await writeShards();
  const [load = 0] = loadavg();
  if (load > cpus().length / 2) console.log(`the machine is not idle: load ${load.toFixed(1)}; times say little`);
  const results = [await compare('messages'), await compare('parquet')];
  const worst = (key: keyof (typeof results)[number]) => Math.max(...results.map((result) => result[key]));
  console.log(
    JSON.stringify({
      bench: 'formats',
      timeRatio: Number(worst('timeRatio').toFixed(2)),
      memoryRatio: Number(worst('memoryRatio').toFixed(2)),
      peakMiB: Math.round(worst('peakMiB')),
    }),
  );
  await rm(folder, { recursive: true, force: true });
}
