/**
 * Every benchmark reads a made file of its official layout, asks its questions, and scores made answers; prompts, scores and
 * figures are those of the official code (`test/fixtures/make-benchmarks-fixture.py`, which names the commits), one by one.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { AnsweredQuestion } from '../../../src/evaluation/benchmarks/benchmark.ts';
import { type BenchmarkName, benchmarkOf } from '../../../src/evaluation/benchmarks/index.ts';
import { summarizeMeasures } from '../../../src/evaluation/summarize-measures.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const folderOf = (name: string) => `test/fixtures/benchmarks/${name}`;

/** Benchmark → its file, and the least questions that the fixture has. */
const files = {
  pope: ['coco', 300],
  mme: ['mme.jsonl', 200],
  'scienceqa-img': ['problems.json', 300],
  mmstar: ['mmstar.jsonl', 300],
  ai2d: ['ai2d.jsonl', 300],
  realworldqa: ['realworldqa.jsonl', 400],
  mmmu: ['validation.jsonl', 500],
  gqa: ['testdev_balanced_questions.json', 300],
  textvqa: ['TextVQA_0.5.1_val.json', 300],
  vqav2: ['v2_OpenEnded_mscoco_val2014_questions.json', 300],
  'ok-vqa': ['OpenEnded_mscoco_val2014_questions.json', 300],
  vizwiz: ['val.json', 300],
  chartqa: ['test', 300],
  docvqa: ['val_v1.0_withQT.json', 300],
  'hallusion-bench': ['HallusionBench.json', 200],
} as const satisfies Partial<Record<BenchmarkName, readonly [string, number]>>;

type Checked = keyof typeof files;

const officialSchema = z.object({
  totals: z.record(z.string(), z.unknown()),
  answers: z.array(
    z.object({ id: z.string(), asked: z.string().optional(), answer: z.string(), score: z.coerce.number() }),
  ),
});

async function checked(name: Checked) {
  const official = officialSchema.parse(JSON.parse(readFileSync(`${folderOf(name)}/official.json`, 'utf8')));
  const benchmark = benchmarkOf(name);
  const questions = await benchmark.read({
    file: `${folderOf(name)}/${files[name][0]}`,
    images: '/images',
    // COCO's numbers, without a folder to look them up in.
    imageFile: async (id) => `/images/${id}`,
    extractedImages: await temporaryFolder(),
  });
  const textOf = new Map(official.answers.map(({ id, answer }) => [id, answer]));
  const answered = questions.map((question): AnsweredQuestion => {
    return { question, choice: undefined, losses: [], text: textOf.get(question.id) ?? `no answer to ${question.id}` };
  });
  const measures = benchmark.score(answered);
  const means = summarizeMeasures(measures, { samples: 10, seed: 1 });
  return { benchmark, official, questions, answered, measures, means, combined: benchmark.combine?.(means) ?? {} };
}

test.each(Object.keys(files) as Checked[])('%s: each answer is scored as the official code scores it', async (name) => {
  const { official, questions, measures } = await checked(name);
  expect(questions.map(({ id }) => id).sort()).toEqual(official.answers.map(({ id }) => id).sort());
  expect(questions.length).toBeGreaterThanOrEqual(files[name][1]);
  const [main = []] = Object.values(measures);
  const scoreOf = new Map(main.map(({ id, score }) => [id, score]));
  const differing = official.answers.flatMap(({ id, answer, score }) => {
    const ours = scoreOf.get(id);
    return ours !== undefined && Math.abs(ours - score) < 1e-9 ? [] : [{ id, answer, score, ours }];
  });
  expect(differing).toEqual([]);
  // The answers tell models apart: neither all right nor all wrong.
  const share = official.answers.reduce((sum, { score }) => sum + score, 0) / official.answers.length;
  expect(share).toBeGreaterThan(0.2);
  expect(share).toBeLessThan(0.85);
});

test.each(Object.keys(files) as Checked[])('%s: questions are put in the official words', async (name) => {
  const { benchmark, official, questions } = await checked(name);
  const questionOf = new Map(questions.map((question) => [question.id, question]));
  const asked = official.answers.filter((one) => one.asked !== undefined);
  expect(asked.length).toBeGreaterThan(20);
  for (const { id, asked: wanted } of asked) {
    const question = questionOf.get(id);
    expect(question && benchmark.ask(question, 'generated').generate?.question).toBe(wanted);
  }
});

const groupsOf = (groups: Record<string, { value: number }> = {}) =>
  Object.fromEntries(Object.entries(groups).map(([name, { value }]) => [name, value]));

describe('figures of all questions', () => {
  test('POPE: accuracy, precision, recall, F1 and the share of yes, by category', async () => {
    const { official, means, combined } = await checked('pope');
    for (const category of ['adversarial', 'popular', 'random']) {
      const of = (measure: string) => means[measure]?.groups.category?.[category]?.value;
      const ours = { acc: of('accuracy'), precision: of('precision'), recall: of('recall'), yes_ratio: of('yesRatio') };
      const { f1, ...others } = official.totals[category] as Record<string, number>;
      for (const [measure, value] of Object.entries(others)) expect(ours[measure as 'acc']).toBeCloseTo(value, 9);
      expect(combined.f1?.groups?.category?.[category]).toBeCloseTo(f1 as number, 9);
    }
  });

  test('MME: perception and cognition, and each category', async () => {
    const { official, combined } = await checked('mme');
    expect(combined.perception?.value).toBeCloseTo(official.totals.mme_perception_score as number, 6);
    expect(combined.cognition?.value).toBeCloseTo(official.totals.mme_cognition_score as number, 6);
    const ours = { ...combined.perception?.groups?.category, ...combined.cognition?.groups?.category };
    const wanted = official.totals.categories as Record<string, number>;
    expect(Object.keys(ours).sort()).toEqual(Object.keys(wanted).sort());
    for (const [category, points] of Object.entries(wanted)) expect(ours[category]).toBeCloseTo(points, 6);
  });

  test('ScienceQA: by subject, grade, context and topic', async () => {
    const { official, means } = await checked('scienceqa-img');
    const { accuracy } = means;
    const percent = (value: number | undefined) => ((value ?? -1) * 100).toFixed(2);
    const { subject, grade, context, topic } = accuracy?.groups ?? {};
    expect(percent(accuracy?.value)).toBe(official.totals.acc_average);
    expect(percent(subject?.['natural science']?.value)).toBe(official.totals.acc_natural);
    expect(percent(subject?.['social science']?.value)).toBe(official.totals.acc_social);
    expect(percent(subject?.['language science']?.value)).toBe(official.totals.acc_language);
    expect(percent(grade?.['1 to 6']?.value)).toBe(official.totals.acc_grade_1_6);
    expect(percent(grade?.['7 to 12']?.value)).toBe(official.totals.acc_grade_7_12);
    expect(percent(context?.['text and image']?.value)).toBe(official.totals.acc_has_text);
    for (const name of ['physics', 'biology', 'geography', 'economics']) {
      expect(percent(topic?.[name]?.value)).toBe(official.totals[`acc_${name}`]);
    }
  });

  test('MMStar: by ability', async () => {
    const { official, means } = await checked('mmstar');
    const ours = groupsOf(means.accuracy?.groups.ability);
    expect(Object.keys(ours)).toHaveLength(18);
    for (const [ability, value] of Object.entries(ours)) {
      expect(value).toBeCloseTo(official.totals[ability.replace(' (', '(')] as number, 9);
    }
  });

  test('MMMU: by subject and domain', async () => {
    const { official, means } = await checked('mmmu');
    expect(means.accuracy?.value).toBeCloseTo(official.totals.overall as number, 9);
    for (const way of ['subject', 'domain']) {
      const ours = groupsOf(means.accuracy?.groups[way]);
      const wanted = official.totals[way] as Record<string, number>;
      expect(Object.keys(ours).sort()).toEqual(Object.keys(wanted).sort());
      for (const [name, value] of Object.entries(wanted)) expect(ours[name]).toBeCloseTo(value, 9);
    }
  });

  test('HallusionBench: of questions, figures and questions about several figures; as VLMEvalKit without the questions in words', async () => {
    const { benchmark, official, answered, means } = await checked('hallusion-bench');
    const { VLMEvalKit: kit, ...own } = official.totals as Record<string, Record<string, number>>;
    for (const [measure, value] of Object.entries(own)) expect(means[measure]?.value).toBeCloseTo(Number(value), 9);
    const shown = answered.filter(({ question }) => question.image !== undefined);
    expect(shown.length).toBeLessThan(answered.length);
    const ours = summarizeMeasures(benchmark.score(shown), { samples: 10, seed: 1 });
    for (const measure of ['aAcc', 'fAcc', 'qAcc']) {
      const found = ours[measure];
      const values: Record<string, number | undefined> = {
        Overall: found?.value,
        ...groupsOf(found?.groups.category),
        ...Object.fromEntries(
          Object.entries(groupsOf(found?.groups.subcategory)).map(([name, value]) => [name.replace(' ', '_'), value]),
        ),
      };
      for (const [split, wanted] of Object.entries(kit as unknown as Record<string, Record<string, number>>)) {
        expect(values[split], `${measure} of ${split}`).toBeCloseTo(wanted[measure] as number, 9);
      }
    }
  });

  test('VQAv2: by the types of answers and questions', async () => {
    const { official, means } = await checked('vqav2');
    const { overall, perAnswerType, perQuestionType } = official.totals as Record<string, unknown>;
    expect(100 * (means.vqaAccuracy?.value ?? 0)).toBeCloseTo(overall as number, 1);
    const ways = { 'answer type': perAnswerType, 'question type': perQuestionType } as Record<
      string,
      Record<string, number>
    >;
    for (const [way, wanted] of Object.entries(ways)) {
      const ours = groupsOf(means.vqaAccuracy?.groups[way]);
      for (const [name, value] of Object.entries(wanted)) expect(100 * (ours[name] ?? 0)).toBeCloseTo(value, 1);
    }
  });

  test('ChartQA: by split', async () => {
    const { official, means } = await checked('chartqa');
    const ours = groupsOf(means.relaxedAccuracy?.groups.split);
    for (const [split, value] of Object.entries(official.totals)) expect(ours[split]).toBeCloseTo(value as number, 9);
  });
});

test('SEED-Bench-2: the questions about one image are those that its evaluation keeps', async () => {
  const { kept } = z
    .object({ kept: z.array(z.string()) })
    .parse(JSON.parse(readFileSync(`${folderOf('seed-bench-2')}/official.json`, 'utf8')));
  const file = `${folderOf('seed-bench-2')}/SEED-Bench_v2_level1_2_3.json`;
  const questions = await benchmarkOf('seed-bench-2').read({ file, images: '/images', extractedImages: '/none' });
  expect(questions.map(({ id }) => id)).toEqual(kept);
  expect(kept.length).toBeGreaterThan(20);
});
