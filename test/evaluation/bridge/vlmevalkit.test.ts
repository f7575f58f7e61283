/**
 * What VLMEvalKit's own data sets asked, heard and decided in a run of `npm run bridge` (test/fixtures/bridge/vlmevalkit): our code
 * puts the same questions in the same words, and scores the same answers alike, one by one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { compareVerdicts, resultSchema } from '../../../bench/bridge/compare.ts';
import { drawSet } from '../../../bench/bridge/draws.ts';
import { tsvBenchmarks } from '../../../bench/bridge/tsv-benchmarks.ts';
import { writeTsv } from '../../../bench/bridge/tsv-files.ts';
import { readVerdicts, tsvRowsOf } from '../../../bench/bridge/vlmevalkit.ts';
import { writeImages } from '../../../demo/scenes/images.ts';
import type { AnsweredQuestion } from '../../../src/evaluation/benchmarks/benchmark.ts';
import { benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import { matchExactly } from '../../../src/evaluation/exact-matching.ts';
import { readResults } from '../../../src/evaluation/import-results.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const fixtures = 'test/fixtures/bridge/vlmevalkit';
const recorded = z
  .object({
    questions: z.number(),
    images: z.number(),
    results: z.array(resultSchema.omit({ key: true, files: true })),
  })
  .parse(JSON.parse(readFileSync(`${fixtures}/results.json`, 'utf8')));
const names = tsvBenchmarks.map(({ name }) => name);

async function unpacked(name: string): Promise<string> {
  const folder = await temporaryFolder();
  for (const file of readdirSync(`${fixtures}/${name}`)) {
    await writeFile(join(folder, file.replace(/\.gz$/, '')), gunzipSync(readFileSync(`${fixtures}/${name}/${file}`)));
  }
  return folder;
}

const images = temporaryFolder().then(async (folder) => {
  await writeImages(folder, drawSet('test', recorded.images), { seen: new Set() });
  return folder;
});

test('each data set was run with 100 questions or more, and both came to the same', () => {
  expect(recorded.results.map(({ benchmark }) => benchmark).sort()).toEqual([...names].sort());
  for (const { benchmark, questions, ours, theirs, agreement } of recorded.results) {
    expect(questions, benchmark).toBeGreaterThanOrEqual(100);
    expect(Math.abs(ours - theirs), benchmark).toBeLessThanOrEqual(0.2);
    expect(agreement, benchmark).toBeGreaterThanOrEqual(99);
  }
});

test.each(tsvBenchmarks)('$name: asked in the same words, each answer scored alike', async (made) => {
  const folder = await unpacked(made.name);
  const theirs = await readVerdicts(folder);
  const answers: Record<string, string> = JSON.parse(readFileSync(join(folder, 'answers.json'), 'utf8'));
  const prompts: Record<string, string> = JSON.parse(readFileSync(join(folder, 'prompts.json'), 'utf8'));
  const benchmark = benchmarkOf(made.set.benchmark);
  const file = join(await temporaryFolder(), `${made.name}.tsv`);
  await writeTsv(file, tsvRowsOf(made, recorded.images, recorded.questions), await images);
  const questions = await benchmark.read({
    file,
    images: await images,
    extractedImages: await temporaryFolder(),
    questions: made.set.questions,
  });
  for (const question of questions) {
    expect(benchmark.ask(question, 'generated', made.set.prompt).generate?.question).toBe(prompts[question.id]);
  }
  const answered = questions.map((question): AnsweredQuestion => {
    const text = answers[question.id] ?? 'no answer';
    const options = benchmark.writtenChoices?.(question).choices;
    const found = options && matchExactly(text, options);
    const letter = typeof found === 'object' ? found.letter : undefined;
    const choice = letter === undefined ? undefined : options?.findIndex((one) => one.letter === letter);
    return { question, choice, losses: [], text };
  });
  const own = (benchmark.score(answered)[made.measure] ?? []).map(({ id, score }) => ({ id, score, answer: '' }));
  const ids = theirs.map(({ id }) => id);
  expect(compareVerdicts(theirs, own, ids).differing).toEqual([]);
  expect(ids.length).toBe(recorded.results.find((one) => one.benchmark === made.name)?.questions);
});

test.each(names)('%s: its results can be imported', async (name) => {
  const folder = await unpacked(name);
  const [file = ''] = readdirSync(folder).filter((one) => one.endsWith('.tsv'));
  const imported = await readResults(join(folder, file));
  expect(imported.program).toBe('VLMEvalKit');
  const theirs = await readVerdicts(folder);
  const [list = []] = Object.values(imported.measures);
  expect(list.length).toBe(theirs.length);
});
