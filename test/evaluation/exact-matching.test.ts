/** VLMEvalKit's own results, made by its code (`test/fixtures/make-vlmevalkit-fixture.py`), on the same texts. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readJsonLines } from '../../src/core/read-json.ts';
import type { AnsweredQuestion } from '../../src/evaluation/benchmarks/benchmark.ts';
import { mmbench } from '../../src/evaluation/benchmarks/mmbench.ts';
import { readMmbench } from '../../src/evaluation/benchmarks/mmbench-file.ts';
import type { MmbenchItem } from '../../src/evaluation/benchmarks/mmbench-submission.ts';
import { matchExactly } from '../../src/evaluation/exact-matching.ts';
import { chooseFromTexts } from '../../src/evaluation/extract-choice.ts';
import { madeAnswers } from '../fixtures/mmbench/texts.ts';

const folder = 'test/fixtures/mmbench';
const evaluated = z.object({ hits: z.array(z.number()), overall: z.number() });
const official = z
  .object({
    texts: z.object({ sha256: z.string(), matched: z.string() }),
    shared: z.object({ matched: z.record(z.string(), z.string()), circular: evaluated, vanilla: evaluated }),
  })
  .parse(JSON.parse(readFileSync(join(folder, 'vlmevalkit.json'), 'utf8')));

/** In VLMEvalKit's words: Z for an answer that names none. */
function matched(text: string, choices: { letter: string; text: string }[]): string {
  const found = matchExactly(text, choices);
  return found === undefined ? '' : found === 'none' ? 'Z' : found.letter;
}

test('6,000 texts made from a seed match as in VLMEvalKit, text by text', () => {
  const made = madeAnswers();
  expect(hash('sha256', JSON.stringify(made))).toBe(official.texts.sha256);
  const differing = made.flatMap(({ options, text }, place) => {
    const choices = Object.entries(options).map(([letter, words]) => ({ letter, text: words }));
    const ours = matched(text, choices) || '-';
    const theirs = official.texts.matched[place];
    return ours === theirs ? [] : [{ place, options, text, ours, theirs }];
  });
  expect(made).toHaveLength(6000);
  expect(differing).toEqual([]);
});

describe('mmbench_20_questions_65_rows.tsv, answered as in mmbench_texts_official_10_ours_25.jsonl', () => {
  let answered: AnsweredQuestion<MmbenchItem>[];
  let extractedImages: string;
  beforeAll(async () => {
    extractedImages = await mkdtemp(join(tmpdir(), 'mmbench-'));
    const questions = await readMmbench(join(folder, 'mmbench_20_questions_65_rows.tsv'), { extractedImages });
    const texts = await readJsonLines(
      join(folder, 'mmbench_texts_official_10_ours_25.jsonl'),
      z.object({ question_id: z.string(), text: z.string() }),
    );
    const textOf = new Map(texts.map(({ question_id, text }) => [question_id, text]));
    const items = questions.map((question) => ({ ...question, id: String(question.index) }));
    const written = items.map((question) => ({
      question,
      choice: undefined,
      losses: [],
      text: textOf.get(question.id),
    }));
    answered = (await chooseFromTexts(mmbench as never, written)) as AnsweredQuestion<MmbenchItem>[];
  });

  afterAll(() => rm(extractedImages, { recursive: true, force: true }));

  test('all 65 match as in VLMEvalKit', () => {
    const ours = answered.map(({ question, text = '' }) => [question.id, matched(text, question.options)]);
    expect(Object.fromEntries(ours)).toEqual(official.shared.matched);
  });

  test('the scores are VLMEvalKit’s, question by question: vanilla is 10.0', () => {
    const measures = mmbench.score(answered);
    for (const measure of ['circular', 'vanilla'] as const) {
      const scores = measures[measure] ?? [];
      const right = scores.filter(({ score }) => score === 1).map(({ id }) => Number(id));
      expect(right.sort((left, right) => left - right)).toEqual(official.shared[measure].hits);
      expect(scores.reduce((sum, { score }) => sum + score, 0) / scores.length).toBe(official.shared[measure].overall);
    }
    expect(official.shared.vanilla.overall).toBe(0.1);
  });

  test('the lenient rule, which takes the stated letter, stands beside them', () => {
    const measures = mmbench.score(answered);
    expect(Object.keys(measures)).toEqual(['circular', 'vanilla', 'lenientCircular', 'lenientVanilla']);
    const { lenientVanilla = [] } = measures;
    expect(lenientVanilla.reduce((sum, { score }) => sum + score, 0) / lenientVanilla.length).toBe(0.25);
  });
});
