/**
 * What VLMEvalKit's own data sets asked, heard and decided in a run of `npm run bridge` (test/fixtures/bridge/vlmevalkit): our code
 * puts the same questions in the same words, and scores the same answers alike, one by one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compareVerdicts } from '../../../bench/bridge/compare.ts';
import { tsvBenchmarks } from '../../../bench/bridge/tsv-benchmarks.ts';
import { writeTsv } from '../../../bench/bridge/tsv-files.ts';
import { readVerdicts, tsvRowsOf } from '../../../bench/bridge/vlmevalkit.ts';
import type { AnsweredQuestion } from '../../../src/evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import { readResults } from '../../../src/evaluation/import-results.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { readRecordedRun } from './recorded-run.ts';

const fixtures = 'test/fixtures/bridge/vlmevalkit';
const recorded = readRecordedRun(fixtures);
const names = tsvBenchmarks.map(({ name }) => name);

/** What is kept of a data set, unpacked: what was asked, answered and decided, and the results as VLMEvalKit wrote them. */
async function unpacked(name: string): Promise<{ folder: string; results: string }> {
  const folder = await temporaryFolder();
  const files = readdirSync(`${fixtures}/${name}`).map((file) => file.replace(/\.gz$/, ''));
  for (const file of files) {
    await writeFile(join(folder, file), gunzipSync(readFileSync(`${fixtures}/${name}/${file}.gz`)));
  }
  return { folder, results: join(folder, files.find((file) => file.endsWith('.tsv')) as string) };
}

test('each data set was run with 100 questions or more, and both programs came to the same', () => {
  expect(recorded.results.map(({ benchmark }) => benchmark).sort()).toEqual([...names].sort());
  for (const { benchmark, questions, ours, theirs, agreement, differs } of recorded.results) {
    expect(questions, benchmark).toBeGreaterThanOrEqual(100);
    if (differs !== undefined) continue;
    expect(Math.abs(ours - theirs), benchmark).toBeLessThanOrEqual(0.2);
    expect(agreement, benchmark).toBeGreaterThanOrEqual(99);
  }
});

test.each(tsvBenchmarks.map((one) => [one.name, one] as const))(
  '%s: asked in the same words, each answer scored alike',
  async (name, made) => {
    const { set, measure, differs } = made;
    const theirs = await readVerdicts((await unpacked(name)).folder);
    const peerOf = new Map(theirs.map((peer) => [peer.id, peer]));
    // The file of the run, made again, but that it names its images: none is opened.
    const file = join(await temporaryFolder(), `${name}.tsv`);
    await writeTsv(file, tsvRowsOf(made, recorded.images, recorded.questions));
    const benchmark = benchmarkOf(set.benchmark);
    const extractedImages = await temporaryFolder();
    const questions = await benchmark.read({ file, images: '/images', extractedImages, questions: set.questions });
    for (const question of questions) {
      expect(benchmark.ask(question, 'generated').generate?.question).toBe(peerOf.get(question.id)?.prompt);
    }
    const answered = questions.map((question): AnsweredQuestion => {
      return { question, choice: undefined, losses: [], text: peerOf.get(question.id)?.answer ?? 'no answer' };
    });
    const list = benchmark.score(answered)[measure] ?? [];
    const own = list.map(({ id, score }) => ({ id, score, answer: peerOf.get(id)?.answer ?? '' }));
    const ids = theirs.map(({ id }) => id);
    const { questions: count, differing } = compareVerdicts(theirs, own, ids);
    // Where the two read answers by different rules, a lone yes or no is the same to both.
    const isPlain = ({ answers: [answer = ''] }: { answers: readonly string[] }) => /^\s*(?:yes|no)\s*$/i.test(answer);
    expect(differs === undefined ? differing : differing.filter(isPlain)).toEqual([]);
    expect(count).toBe(recorded.results.find((one) => one.benchmark === name)?.questions);
  },
);

test.each(names)('%s: its results can be imported, with its own verdicts', async (name) => {
  const { folder, results } = await unpacked(name);
  const theirs = await readVerdicts(folder);
  const { program, measures, texts } = await readResults(results);
  expect(program).toBe('VLMEvalKit');
  const [list = [], ...others] = Object.values(measures);
  expect(others).toEqual([]);
  expect(list.map(({ id }) => id)).toEqual(theirs.map(({ id }) => id));
  for (const [number, { id, score, answer }] of theirs.entries()) {
    expect(list[number]?.score, id).toBeCloseTo(score, 9);
    expect(texts.get(id), id).toBe(answer);
  }
});
