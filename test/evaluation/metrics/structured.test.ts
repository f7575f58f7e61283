/** Results of the official code (`test/fixtures/make-structured-fixture.py`, which names the commits), on the same answers. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { overlapOf, readBoxes } from '../../../src/evaluation/metrics/boxes.ts';
import { metricOf } from '../../../src/evaluation/metrics/index.ts';
import { compareFields } from '../../../src/evaluation/metrics/json-fields.ts';

const row = { answer: z.string(), reference: z.string(), score: z.number() };
const official = z
  .object({ json: z.array(z.object(row)), boxes: z.array(z.object({ ...row, overlap: z.number() })) })
  .parse(JSON.parse(readFileSync('test/fixtures/metrics/structured.json', 'utf8')));

describe('JSON by field', () => {
  const { score, referenceProblem } = metricOf('json');

  test("is Donut's field-level F1, answer by answer", () => {
    const differing = official.json.filter(
      (one) => Math.abs((score(one.answer, [one.reference]).fieldF1 ?? -1) - one.score) > 1e-9,
    );
    expect(official.json).toHaveLength(400);
    expect(differing).toEqual([]);
  });

  test('has the share of fields that are right, and of those that were found', () => {
    const answer = '```json\n{"total": "12.50", "shop": "Aldi", "date": "1 May"}\n```';
    const reference = '{"total": "12.50", "shop": "Aldi Nord", "items": [{"name": "milk"}, {"name": "tea"}]}';
    expect(score(answer, [reference])).toEqual({ fieldF1: 2 / 7, fieldPrecision: 1 / 3, fieldRecall: 1 / 4 });
  });

  test('counts the fields of the config alone, numbers by their value', () => {
    const answer = { total: 12.5, shop: 'Aldi', items: [{ price: '1' }] };
    const reference = { total: '12.50 €', shop: 'Lidl', items: [{ price: '1.00' }] };
    const fields = { total: 'number', 'items.price': 'number' } as const;
    expect(compareFields(answer, reference, fields)).toEqual({ f1: 1, precision: 1, recall: 1 });
    expect(compareFields(answer, reference).f1).toBe(0);
  });

  test.each(['none', '{"total": 1', '"text"', ''])('%j is wrong, and no reference', (text) => {
    expect(score(text, ['{"total": 1}'])).toEqual({ fieldF1: 0, fieldPrecision: 0, fieldRecall: 0 });
    expect(referenceProblem?.(text)).toMatch(/no JSON object/);
  });

  test('a hostile key changes nothing but its own field', () => {
    const text = '{"__proto__": "x", "constructor": {"prototype": "y"}}';
    expect(score(text, [text]).fieldF1).toBe(1);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

describe('boxes', () => {
  const { score, referenceProblem } = metricOf('box-iou');

  test("one box is lmms-eval's accuracy at 0.5, answer by answer", () => {
    for (const { answer, reference, overlap, score: expected } of official.boxes) {
      const [[given], [wanted]] = [readBoxes(answer) ?? [], readBoxes(reference) ?? []];
      if (given === undefined || wanted === undefined) throw new Error(answer);
      expect(overlapOf(given, wanted)).toBeCloseTo(overlap, 9);
      expect(score(answer, [reference]).boxAccuracy).toBe(expected);
    }
    expect(official.boxes.map(({ score: one }) => one)).toEqual(expect.arrayContaining([0, 1]));
  });

  test.each([
    ['Qwen2.5-VL', '```json\n[{"bbox_2d": [10, 20, 110, 220], "label": "cup"}]\n```', [10, 20, 110, 220]],
    ['LLaVA and Shikra', 'It is at [0.123, 0.2, 0.5, 0.75].', [0.123, 0.2, 0.5, 0.75]],
    ['MiniGPT-v2', '<p>a cup</p> {<12><20><50><75>}', [12, 20, 50, 75]],
  ])('are read in the notation of %s', (_, text, box) => expect(readBoxes(text)).toEqual([box]));

  test('several are matched one to one', () => {
    const reference = '[0, 0, 0.2, 0.2] [0.5, 0.5, 0.9, 0.9]';
    expect(score(reference, [reference]).boxAccuracy).toBe(1);
    expect(score('[0.5, 0.5, 0.9, 0.9]', [reference]).boxAccuracy).toBeCloseTo(2 / 3, 9);
    expect(score('[0, 0, 0.2, 0.2] [0, 0, 0.2, 0.2]', [reference]).boxAccuracy).toBe(0.5);
  });

  test.each(['no box', '[1, 2, 3]', '{<1><2><3>}', '[{"bbox_2d": [1, 2]}]'])('%j has none', (text) => {
    expect(readBoxes(text)).toBeUndefined();
    expect(score(text, ['[0, 0, 1, 1]']).boxAccuracy).toBe(0);
    expect(referenceProblem?.(text)).toMatch(/no box is found/);
  });
});
