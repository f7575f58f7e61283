/** Results of other programs: lmms-eval's samples were written by its own code (`test/fixtures/make-imports-fixture.py`). */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { unzipSync, zipSync } from 'fflate';
import { expect, test } from 'vitest';
import writeExcelFile from 'write-excel-file/node';
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
  const records = [{ index: 3, eval_match: [0.25, 0.75], eval_score: 0.5, prediction: 'x', category: 'c' }];
  const json = await readResults(await put('m_DocVQA_VAL_results.json', JSON.stringify(records)));
  expect(json).toMatchObject({ program: 'VLMEvalKit', set: 'm_docvqa_val_results' });
  expect(json.measures).toEqual({ eval_score: [{ id: '3', score: 0.75, groups: { category: 'c' } }] });
});

test.each([
  // Distances: the nearest reference counts, from one half on.
  ['m_DocVQA_VAL_results.tsv', "['0.9', '0.2']", 0.8],
  ['m_InfoVQA_VAL_results.tsv', '[0.6]', 0],
  ['m_ChartQA_TEST_results.tsv', '[False, True]', 1],
  ['m_TextVQA_VAL_results.tsv', '[1, 0.3]', 0.25],
])('%s: matches %s are the score that VLMEvalKit adds up', async (name, matches, score) => {
  const file = await put(name, `index\tprediction\teval_match\teval_score\n1\tx\t${matches}\t0.25\n`);
  expect((await readResults(file)).measures).toEqual({ eval_score: [{ id: '1', score: expect.closeTo(score, 9) }] });
});

test('a score of documents without its matches is refused: it may be a distance', async () => {
  const file = await put('m_DocVQA_VAL_results.tsv', 'index\tprediction\teval_score\n1\tx\t0.25\n');
  await expect(readResults(file)).rejects.toThrow(/:2: eval_match: must be a list of numbers/);
});

test("Python's numbers that JSON does not have are none; in texts they are words", async () => {
  const lines = [
    '{"doc_id": 0, "doc": {"hint": NaN, "said": "\\"NaN"}, "filtered_resps": "Infinity", "acc": 1.0, "anls": NaN}',
    '{"doc_id": 1, "doc": {"hint": -Infinity}, "filtered_resps": "b", "acc": 0.0, "anls": 0.5, "log": [Infinity]}',
  ];
  const { measures, texts } = await readResults(await put('d_samples_own.jsonl', lines.join('\n')));
  expect(measures).toEqual({
    acc: [
      { id: '0', score: 1 },
      { id: '1', score: 0 },
    ],
    anls: [{ id: '1', score: 0.5 }],
  });
  expect(texts.get('0')).toBe('Infinity');
});

test.each([
  [['evaluate', '--blind', 'import', samples], /--blind: means nothing to an import/],
  [['evaluate', 'import', samples, '--blind'], /unknown option '--blind'/],
  [['evaluate', 'import', samples, '--round', '1'], /--round: is for the answers of a round/],
])('an option that means nothing is refused: %s', async (input, message) => {
  await expect(printedBy(...input)).rejects.toThrow(message);
});

test("MMMU's samples are scored as lmms-eval's own code adds them up", async () => {
  const { measures, asked } = await readResults('test/fixtures/imports/20261129_101500_samples_mmmu_val.jsonl');
  const verdicts: Record<string, number> = JSON.parse(
    await readFile('test/fixtures/imports/mmmu_val_verdicts.json', 'utf8'),
  );
  const found = measures.mmmu_acc?.map(({ id, score }) => [asked.get(id)?.names.id, score]);
  expect(Object.fromEntries(found ?? [])).toEqual(verdicts);
  expect(Object.values(verdicts).filter((one) => one === 1).length).toBeGreaterThan(10);
  expect(measures.mmmu_acc?.[0]?.groups).toEqual({ subdomain: 'Art' });
});

test("VLMEvalKit's Excel file is read like its other formats", async () => {
  const file = join(await temporaryFolder(), 'model_MMStar_result.xlsx');
  const rows = [
    ['index', 'prediction', 'hit', 'category'],
    [1, 'A', 1, 'x'],
    [2, null, 0, 'y'],
    [null, null, null, null],
  ];
  await writeExcelFile(rows.map((row) => row.map((value) => ({ value }))) as never).toFile(file);
  const { measures, texts } = await readResults(file);
  expect(measures.hit).toEqual([
    { id: '1', score: 1, groups: { category: 'x' } },
    { id: '2', score: 0, groups: { category: 'y' } },
  ]);
  expect([...texts]).toEqual([
    ['1', 'A'],
    ['2', ''],
  ]);
});

test('an Excel file that unpacks to too much is refused before it is', async () => {
  const file = join(await temporaryFolder(), 'bomb.xlsx');
  const content = Buffer.from(zipSync({ 'xl/worksheets/sheet1.xml': new Uint8Array(20 * 2 ** 20) }, { level: 1 }));
  const declared = content.lastIndexOf(Buffer.from('504b0102', 'hex')) + 24;
  content.writeUInt32LE(200 * 2 ** 20, declared);
  await writeFile(file, content);
  await expect(readResults(file)).rejects.toThrow(/unpacks to more, and an Excel file may have 192 MB/);
  // One that says less of itself than it has: no more than that is unpacked, and what is cut is no sheet.
  content.writeUInt32LE(1000, declared);
  await writeFile(file, content);
  const before = process.memoryUsage().arrayBuffers;
  await expect(readResults(file)).rejects.toThrow(/is no Excel file that can be read/);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 2 ** 20);
  // Copies of one member that the archive says are empty.
  const member = { 'a.xml': new Uint8Array(2 ** 20) };
  const names = Array.from({ length: 200 }, (_, index) => `${String(index).padStart(3, '0')}.xml`);
  const stored = Buffer.from(zipSync(member, { level: 0 }));
  const directory = stored.lastIndexOf(Buffer.from('504b0102', 'hex'));
  const end = stored.lastIndexOf(Buffer.from('504b0506', 'hex'));
  const entries = names.map((name) => {
    const entry = Buffer.concat([stored.subarray(directory, directory + 46), Buffer.from(name)]);
    entry.writeUInt32LE(0, 24);
    entry.writeUInt16LE(name.length, 28);
    return entry;
  });
  const tail = Buffer.from(stored.subarray(end));
  for (const place of [8, 10]) tail.writeUInt16LE(names.length, place);
  await writeFile(file, Buffer.concat([stored.subarray(0, directory), ...entries, tail]));
  await expect(readResults(file)).rejects.toThrow(/unpacks to more/);
});

test('an Excel file with a cell far from the others is refused: the rows between would fill the memory', async () => {
  const file = join(await temporaryFolder(), 'far.xlsx');
  const rows = [
    ['index', 'hit'],
    [1, 1],
  ];
  const whole = await writeExcelFile(rows.map((row) => row.map((value) => ({ value }))) as never).toBuffer();
  const parts = unzipSync(whole);
  const [name = ''] = Object.keys(parts).filter((part) => /worksheets\/[^/]+\.xml$/.test(part));
  const sheet = Buffer.from(parts[name] as Uint8Array).toString();
  const far = sheet.replace(/(?<=\sr="[A-Z]?)2(?=")/g, '999999999');
  expect(far).not.toBe(sheet);
  await writeFile(file, zipSync({ ...parts, [name]: Buffer.from(far) }));
  await expect(readResults(file)).rejects.toThrow(/has a row or cell at '[A-Z]?999999999'/);
});

test('packed samples are to be unpacked first', async () => {
  const file = join(await temporaryFolder(), 'a_samples_mme.jsonl.gz');
  await writeFile(file, gzipSync(await readFile(samples)));
  await expect(readResults(file)).rejects.toThrow(/is compressed with gzip\. Decompress it/);
});

test.each([
  ['a.xls', 'x', /is an Excel file of the old format, which is not read/],
  ['a.xlsx', 'PK', /is no Excel file that can be read/],
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
