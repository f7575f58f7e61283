/** Runs lmms-eval's own tasks on local files against a server, and reads what it wrote. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { fileExists } from '../../src/core/files.ts';
import { hashValue } from '../../src/core/hash.ts';
import { joinInside } from '../../src/core/inside.ts';
import { readJson, readJsonLines } from '../../src/core/read-json.ts';
import { writeFileAtomically } from '../../src/core/write-file.ts';
import type { BridgeBenchmark, Row } from './bridge-benchmark.ts';
import type { BridgeRun, Part, Server } from './bridge-part.ts';
import { compareVerdicts, type Peer, pairFigures } from './compare.ts';
import { type BenchmarkFiles, officialFile, parquetOf } from './files.ts';
import { evaluateHere } from './own-scores.ts';
import { runProgram } from './run-program.ts';

const TIMEOUT_SECONDS = 600;
const CONCURRENT = 8;

const taskName = ({ name }: BridgeBenchmark) => `bridge_${name.replaceAll('-', '_')}`;

/** lmms-eval's task, but for its name and where its records are. */
function localTask(files: BenchmarkFiles, tasks: string): string {
  const { benchmark } = files;
  return stringify({
    include: join(tasks, benchmark.task),
    task: taskName(benchmark),
    dataset_path: 'parquet',
    dataset_name: null,
    dataset_kwargs: { data_files: { [benchmark.split]: resolve(parquetOf(files)) } },
    ...benchmark.changes?.keys,
  });
}

const answerSchema = z.union([z.string(), z.array(z.string()).min(1), z.array(z.array(z.string()).min(1)).min(1)]);
/** `resps` is there where a filter made something else of the answer. */
const sampleSchema = z.looseObject({
  doc_id: z.int().nonnegative(),
  input: z.string(),
  resps: answerSchema.optional(),
  filtered_resps: answerSchema,
});
const scored = z.union([z.number(), z.object({ score: z.number() }).transform(({ score }) => score)]);
const resultsSchema = z.looseObject({ results: z.record(z.string(), z.record(z.string(), z.unknown())) });

export function lmmsEvalParts(run: BridgeRun, all: readonly BenchmarkFiles[]): Part[] {
  return all.map((files): Part => {
    const { benchmark, rows, ids } = files;
    const { name, measure, metric } = benchmark;
    const { folder, key, samples } = placeOf(run, files);
    return {
      ...{ peer: 'lmms-eval', name, folder, key, questions: rows.length, differs: benchmark.differs?.how },
      async compare({ url, model }) {
        const theirs = await readSamples(samples, benchmark, rows);
        const set = { benchmark: name, file: officialFile(files), images: run.images };
        const own = await evaluateHere(set, measure, { url, model, output: join(folder, 'own') });
        const figures = benchmark.figures?.(own.scores) ?? {
          [String(metric)]: own.scores.measures[measure]?.value ?? -1,
        };
        return {
          ...compareVerdicts(theirs, own.answers, ids),
          figures: pairFigures(figures, await readFigures(samples, taskName(benchmark))),
          files: [samples],
        };
      },
    };
  });
}

/** Where the results of a benchmark are, and its samples, by what they depend on. */
function placeOf({ results, weights }: BridgeRun, { benchmark, rows }: BenchmarkFiles) {
  const folder = joinInside(results, `lmms-eval/${benchmark.name}`);
  const key = hashValue({ weights, rows, changes: benchmark.changes?.keys ?? {} });
  return { folder, key, samples: joinInside(folder, `${key.slice(0, 12)}_samples_.jsonl`) };
}

/**
 * Has it ask the questions of these benchmarks in one process, since it takes a minute to start. What it has asked this model
 * before is not asked again.
 */
export async function askLmmsEval(
  run: BridgeRun,
  some: readonly BenchmarkFiles[],
  { url, model }: Server,
): Promise<void> {
  const { python, log } = run;
  const known = await Promise.all(some.map((files) => fileExists(placeOf(run, files).samples)));
  const all = some.filter((_, index) => !known[index]);
  if (all.length === 0) return;
  const toParquet = all.flatMap((files) => [files.rowsFile, parquetOf(files)]);
  await runProgram([python, 'bench/bridge/write_parquet.py', run.images, ...toParquet], { log });
  const where = [python, '-c', 'import lmms_eval, os; print(os.path.dirname(lmms_eval.__file__))'];
  const installed = (await runProgram(where, { log })).trim().split('\n').at(-1) as string;
  const [tasks, output] = [join(run.results, 'lmms-eval/tasks'), join(run.results, 'lmms-eval/output')];
  await Promise.all([tasks, output].map((folder) => rm(folder, { recursive: true, force: true })));
  for (const files of all) {
    const file = joinInside(tasks, `${taskName(files.benchmark)}.yaml`);
    await writeFileAtomically(file, localTask(files, join(installed, 'tasks')));
  }
  const modelArguments = [
    ...[`model_version=${model}`, `base_url=${url}`, `timeout=${TIMEOUT_SECONDS}`, `num_concurrent=${CONCURRENT}`],
  ];
  const names = all.map(({ benchmark }) => taskName(benchmark)).join(',');
  await runProgram(
    [
      ...[python, '-m', 'lmms_eval', '--model', 'openai', '--model_args', modelArguments.join(',')],
      ...['--tasks', names, '--include_path', tasks, '--batch_size', '1', '--output_path', output, '--log_samples'],
    ],
    {
      log,
      environment: {
        ...{ HF_HUB_OFFLINE: '1', HF_DATASETS_OFFLINE: '1', HF_HOME: resolve(run.results, 'hugging-face') },
        ...{ OPENAI_API_KEY: 'none', NO_PROXY: '127.0.0.1', TOKENIZERS_PARALLELISM: 'false' },
      },
    },
  );
  for (const files of all) {
    const written = await newest(output, `_samples_${taskName(files.benchmark)}.jsonl`);
    const { samples } = placeOf(run, files);
    await writeFileAtomically(resultsBeside(samples), await readFile(resultsBeside(written)));
    await writeFileAtomically(samples, await readFile(written));
  }
}

/** Its figures of all questions. */
function resultsBeside(samples: string): string {
  return samples.replace(/_samples_[^/]*$/, '_results.json');
}

async function newest(folder: string, ending: string): Promise<string> {
  const found = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(ending)).sort();
  const last = found.at(-1);
  if (last === undefined) throw new Error(`lmms-eval left no file …${ending} in ${folder}: see the log`);
  return joinInside(folder, last);
}

/** What it asked, what was answered and its verdicts, by the numbers of the rows. */
export async function readSamples(file: string, { metric }: BridgeBenchmark, rows: readonly Row[]): Promise<Peer[]> {
  const samples = await readJsonLines(file, sampleSchema);
  return samples.map((sample) => {
    const { doc_id: number, input: prompt, resps, filtered_resps: filtered } = sample;
    const key = typeof metric === 'string' ? metric : metric(rows[number] as Row);
    const [answer] = [resps ?? filtered].flat(2) as [string];
    return { number, prompt, answer, score: scored.parse(sample[key]) };
  });
}

/** Its own figures of all questions: metric → value. */
async function readFigures(samples: string, task: string): Promise<Record<string, number>> {
  const { results } = await readJson(resultsBeside(samples), resultsSchema);
  return Object.fromEntries(
    Object.entries(results[task] ?? {}).flatMap(([key, value]) => {
      const [metric = '', filter] = key.split(',');
      return typeof value === 'number' && filter !== undefined && !metric.endsWith('_stderr') ? [[metric, value]] : [];
    }),
  );
}
