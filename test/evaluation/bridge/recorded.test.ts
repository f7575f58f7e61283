/**
 * What lmms-eval's own tasks asked, heard and decided in a run of `npm run bridge` (test/fixtures/bridge): our code puts the same
 * questions in the same words, and scores the same answers alike, one by one.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bridgeBenchmarks } from '../../../bench/bridge/benchmarks.ts';
import type { Row } from '../../../bench/bridge/bridge-benchmark.ts';
import { compareVerdicts, pairFigures } from '../../../bench/bridge/compare.ts';
import { drawSet } from '../../../bench/bridge/draws.ts';
import { type BenchmarkFiles, fileWithoutParquet, writeBenchmarkFiles } from '../../../bench/bridge/files.ts';
import { readSamples } from '../../../bench/bridge/lmms-eval.ts';
import type { AnsweredQuestion } from '../../../src/evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import type { Scores } from '../../../src/evaluation/evaluation-files.ts';
import { readResults } from '../../../src/evaluation/import-results.ts';
import { summarizeMeasures } from '../../../src/evaluation/summarize-measures.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { readRecordedRun } from './recorded-run.ts';

const fixtures = 'test/fixtures/bridge/lmms-eval';
const recorded = readRecordedRun(fixtures);

/** The files of the run, made again. */
async function madeFiles(): Promise<BenchmarkFiles[]> {
  const images = drawSet('test', recorded.images);
  return writeBenchmarkFiles(await temporaryFolder(), { set: 'test', images, questions: recorded.questions });
}

async function samplesOf(name: string): Promise<string> {
  const file = join(await temporaryFolder(), `20261129_200000_samples_bridge_${name}.jsonl`);
  await writeFile(file, gunzipSync(readFileSync(`${fixtures}/${name}/samples.jsonl.gz`)));
  return file;
}

async function scoredHere(files: BenchmarkFiles) {
  const benchmark = benchmarkOf(files.benchmark.name);
  const questions = await benchmark.read({
    file: fileWithoutParquet(files),
    images: '/images',
    imageFile: async (id) => `/images/${id}`,
    extractedImages: await temporaryFolder(),
  });
  const samples = await samplesOf(files.benchmark.name);
  const theirs = await readSamples(samples, files.benchmark, files.rows);
  const peerOf = new Map(theirs.map((peer) => [files.ids[peer.number], peer]));
  const answered = questions.map((question): AnsweredQuestion => {
    return { question, choice: undefined, losses: [], text: peerOf.get(question.id)?.answer ?? 'no answer' };
  });
  return { benchmark, questions, samples, theirs, peerOf, measures: benchmark.score(answered) };
}

test('at least eight benchmarks were run, with 100 questions or more on which the score lies between 20 and 80', () => {
  const fit = recorded.results.filter(
    ({ questions, ours, differs }) => differs === undefined && questions >= 100 && ours > 20 && ours < 80,
  );
  expect(fit.length).toBeGreaterThanOrEqual(8);
  expect(recorded.results.map(({ benchmark }) => benchmark).sort()).toEqual(
    bridgeBenchmarks.map(({ name }) => name).sort(),
  );
});

test('scores were equal within 0.2 points, and verdicts in at least 99 % of the questions', () => {
  for (const { benchmark, ours, theirs, agreement, differs } of recorded.results) {
    if (differs !== undefined) continue;
    expect(Math.abs(ours - theirs), benchmark).toBeLessThanOrEqual(0.2);
    expect(agreement, benchmark).toBeGreaterThanOrEqual(99);
  }
});

test.each(bridgeBenchmarks.map(({ name }) => name))(
  '%s: asked in the same words, each answer scored alike',
  async (name) => {
    const files = (await madeFiles()).find(({ benchmark }) => benchmark.name === name) as BenchmarkFiles;
    const { benchmark, questions, theirs, peerOf, measures } = await scoredHere(files);
    for (const question of questions) {
      expect(benchmark.ask(question, 'generated').generate?.question).toBe(peerOf.get(question.id)?.prompt);
    }
    const list = measures[files.benchmark.measure] ?? [];
    const own = list.map(({ id, score }) => ({ id, score, answer: peerOf.get(id)?.answer ?? '' }));
    const compared = compareVerdicts(theirs, own, files.ids);
    const { differs } = files.benchmark;
    const rowOf = new Map(files.ids.map((id, index) => [id, files.rows[index]]));
    const notExpected = compared.differing.filter(({ id, answers: [answer = ''] }) => {
      return differs === undefined || differs.isReadAlike(answer, rowOf.get(id) as Row);
    });
    expect(notExpected).toEqual([]);
    expect(compared.questions).toBe(recorded.results.find((one) => one.benchmark === name)?.questions);
  },
);

test.each(bridgeBenchmarks.map(({ name }) => name))('%s: figures of all questions are the same', async (name) => {
  const files = (await madeFiles()).find(({ benchmark }) => benchmark.name === name) as BenchmarkFiles;
  const { benchmark, measures } = await scoredHere(files);
  const means = summarizeMeasures(measures, { samples: 10, seed: 1 });
  const scores = { measures: means, combined: benchmark.combine?.(means) } as Pick<Scores, 'measures' | 'combined'>;
  const { figures, metric, measure } = files.benchmark;
  const ours = figures?.(scores as Scores) ?? { [String(metric)]: means[measure]?.value ?? -1 };
  const kept = recorded.results.find((one) => one.benchmark === name)?.figures ?? {};
  const theirs = Object.fromEntries(Object.entries(kept).map(([key, value]) => [key, value.theirs]));
  expect(Object.keys(theirs).length).toBeGreaterThan(0);
  const pairs = Object.entries(pairFigures(ours, theirs));
  if (files.benchmark.differs !== undefined) return;
  for (const [key, pair] of pairs) expect(pair.ours, key).toBeCloseTo(pair.theirs, 6);
});

test.each(bridgeBenchmarks.map(({ name }) => name))(
  '%s: the file can be imported, with its own verdicts',
  async (name) => {
    const files = (await madeFiles()).find(({ benchmark }) => benchmark.name === name) as BenchmarkFiles;
    const samples = await samplesOf(name);
    const imported = await readResults(samples);
    expect(imported).toMatchObject({ program: 'lmms-eval', set: `bridge_${name}` });
    const theirs = await readSamples(samples, files.benchmark, files.rows);
    const { metric } = files.benchmark;
    const keys = typeof metric === 'string' ? [metric] : [...new Set(files.rows.map(metric))];
    const scoreOf = new Map(keys.flatMap((key) => (imported.measures[key] ?? []).map(({ id, score }) => [id, score])));
    for (const { number, score, answer } of theirs) {
      expect(scoreOf.get(String(number))).toBeCloseTo(score, 9);
      expect(imported.texts.get(String(number))).toBe(answer);
    }
  },
);
