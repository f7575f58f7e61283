/** Results of other programs: lmms-eval's samples were written by its own code (`test/fixtures/make-imports-fixture.py`). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { readMmeAnswer } from '../../../src/evaluation/benchmarks/mme.ts';
import { compareEvaluations } from '../../../src/evaluation/compare-models.ts';
import { readQuestionScores, readScores } from '../../../src/evaluation/evaluation-files.ts';
import { readResults } from '../../../src/evaluation/import-results.ts';
import { importEvaluation } from '../../../src/round/evaluate/import-evaluation.ts';
import { printedBy } from '../../cli/in-this-process.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const samples = 'test/fixtures/imports/20261129_101500_samples_mme.jsonl';

async function put(name: string, content: string): Promise<string> {
  const file = join(await temporaryFolder(), name);
  await writeFile(file, content);
  return file;
}

test('samples of lmms-eval become an evaluation: its scores, question by question, in its groups', async () => {
  const output = join(await temporaryFolder(), 'scores');
  const printed = await printedBy('evaluate', 'import', samples, '--output', output);
  expect(printed).toContain('mme (lmms-eval): 40 questions');
  const scores = await readScores(output);
  expect(scores).toMatchObject({ set: 'mme', benchmark: 'lmms-eval mme', questions: 40 });
  const lines = await readJsonLines(
    samples,
    z.looseObject({ doc_id: z.number(), target: z.string(), filtered_resps: z.string() }),
  );
  const right = new Map(
    lines.map((one) => [String(one.doc_id), Number(readMmeAnswer(one.filtered_resps) === one.target)]),
  );
  const found = await readQuestionScores(output);
  expect(found).toHaveLength(40);
  for (const { id, score } of found) expect(score, id).toBe(right.get(id));
  expect(Object.keys(scores.measures).sort()).toEqual(['mme_cognition_score', 'mme_perception_score']);
  expect(scores.measures.mme_perception_score?.groups.category?.count?.count).toBeGreaterThan(5);
});

test('two imported evaluations are compared question by question', async () => {
  const rows = (hits: number[]) => [
    'index\tprediction\thit\tcategory',
    ...hits.map((hit, index) => `${index}\tA\t${hit}\tx`),
  ];
  const folders: string[] = [];
  for (const hits of [
    [1, 0, 0, 1, 0],
    [1, 1, 1, 1, 0],
  ]) {
    const folder = join(await temporaryFolder(), 'scores');
    await importEvaluation(await put('model_MMStar_result.tsv', rows(hits).join('\n')), () => folder);
    folders.push(folder);
  }
  const [first, second] = folders as [string, string];
  const [comparison] = await compareEvaluations(first, second, { samples: 100, seed: 1 });
  expect(comparison).toMatchObject({ measure: 'hit', count: 5, first: 0.4, second: 0.8, onlyFirst: 0, onlySecond: 2 });
});

test("VLMEvalKit's truth values and JSON are taken", async () => {
  const yes = await readResults(await put('m_POPE_auxmatch.csv', 'index,prediction,score\na,Yes,True\nb,No,False\n'));
  expect(yes.measures.score?.map(({ score }) => score)).toEqual([1, 0]);
  expect([...yes.texts]).toEqual([
    ['a', 'Yes'],
    ['b', 'No'],
  ]);
  const records = [{ index: 3, eval_score: 0.25, prediction: 'x', category: 'c' }];
  const json = await readResults(await put('m_DocVQA_VAL_results.json', JSON.stringify(records)));
  expect(json).toMatchObject({ program: 'VLMEvalKit', set: 'm_docvqa_val_results' });
  expect(json.measures).toEqual({ eval_score: [{ id: '3', score: 0.25, groups: { category: 'c' } }] });
});

test.each([
  ['a.xlsx', 'PK', /is an Excel file, which is not read/],
  ['a.jsonl', '{"question": 1}\n{"question": 2}', /has neither lmms-eval's fields/],
  ['a.jsonl', '{"doc_id": "x", "filtered_resps": "y", "m": 1}\n', /a\.jsonl:1: doc_id: must be a whole number/],
  [
    'a.jsonl',
    '{"doc_id": 1, "filtered_resps": "y", "m": 1}\n{"doc_id": 1, "filtered_resps": "y", "m": 1}\n',
    /:2: doc_id: 1 is there twice/,
  ],
  [
    'a.jsonl',
    '{"doc_id": 1, "filtered_resps": "y", "acc": {"answer": "B"}, "__proto__": 1, "constructor": {}}\n',
    /has no score of a question/,
  ],
  ['a.tsv', 'index\thit\n1\t7', /a\.tsv:2: hit: must be a score of 0 to 1/],
  ['a.tsv', 'index\tprediction\tscore\n1\tA\t1\n\tA\t1', /a\.tsv:3: index: is missing/],
])('%s: %s is refused by name', async (name, content, message) => {
  await expect(readResults(await put(name, content))).rejects.toMatchObject({
    name: 'InputError',
    message: expect.stringMatching(message),
  });
});
