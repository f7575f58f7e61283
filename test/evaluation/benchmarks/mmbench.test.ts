import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { mmbench } from '../../../src/evaluation/benchmarks/mmbench.ts';
import type { MmbenchItem } from '../../../src/evaluation/benchmarks/mmbench-submission.ts';
import { miniGpt4PromptForm } from '../../../src/model/families/minigpt4/prompt.ts';
import { questionTurn } from '../../../src/model/families/prompt-form.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { mmbenchRows, writeTable } from './official-files.ts';

// Python is there wherever the set-up ran; it reads the file independently of what wrote it.
const readSheet = `
import json, sys, zipfile
from xml.etree import ElementTree
name = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
book = zipfile.ZipFile(sys.argv[1])
parts = book.namelist()
texts = lambda node: ''.join(t.text or '' for t in node.iter(name + 't'))
shared = []
if 'xl/sharedStrings.xml' in parts:
    shared = [texts(node) for node in ElementTree.fromstring(book.read('xl/sharedStrings.xml')).iter(name + 'si')]
sheet = ElementTree.fromstring(book.read('xl/worksheets/sheet1.xml'))
def column(cell):
    letters = ''.join(c for c in cell.get('r') if c.isalpha())
    return sum((ord(c) - 64) * 26 ** i for i, c in enumerate(reversed(letters))) - 1
def value(cell):
    if cell.get('t') == 'inlineStr': return texts(cell)
    number = cell.find(name + 'v')
    if number is None: return ''
    return shared[int(number.text)] if cell.get('t') == 's' else number.text
rows = []
for row in sheet.iter(name + 'row'):
    cells = {column(cell): value(cell) for cell in row.iter(name + 'c')}
    rows.append([cells.get(i, '') for i in range(max(cells) + 1)])
print(json.dumps(rows))
`;
async function sheetOf(file: string): Promise<string[][]> {
  return JSON.parse((await promisify(execFile)('python3', ['-c', readSheet, file])).stdout);
}

/** Answers all questions rightly but those of the given indices. */
function answer(items: readonly MmbenchItem[], wrong: readonly number[] = []) {
  return items.map((question) => {
    const right = question.options.findIndex(({ letter }) => letter === question.answer);
    const choice = wrong.includes(question.index) ? (right + 1) % question.options.length : right;
    return { question, choice, losses: question.options.map((_, index) => (index === choice ? 1 : 2)) };
  });
}
const right = (scores: readonly { id: string; score: number }[] = []) =>
  scores.filter(({ score }) => score === 1).map(({ id }) => id);

let folder: string;
let items: MmbenchItem[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mmbench-'));
  const file = join(folder, 'mmbench.tsv');
  await writeTable(file, await mmbenchRows());
  items = await mmbench.read({ file, extractedImages: join(folder, 'images') });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('asks with hint and lettered options', () => {
  expect(mmbench.ask(items[1] as MmbenchItem, 'ranked')).toEqual({
    question: 'A hint\nof two lines\nIs "it" red?\tOr not?\n(A) yes (B) no\n',
    answerStart: 'The answer is',
    answers: ['The answer is (A) yes', 'The answer is (B) no'],
  });
});

test('has the model write its answer to the same words, with nothing to rank', () => {
  const { question, answers, generate } = mmbench.ask(items[1] as MmbenchItem, 'generated');
  expect(answers).toEqual([]);
  expect(generate).toEqual({ question, maximumNewTokens: 64 });
  expect(question).toBe(mmbench.ask(items[1] as MmbenchItem, 'ranked').question);
});

test('asks in the words of OpenCompass: the prompts are those that its own code makes for MiniGPT-4', async () => {
  const { prompts } = z
    .object({ prompts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(await readFile('test/fixtures/mmbench/opencompass-prompts.json', 'utf8')));
  const file = 'test/fixtures/mmbench/mmbench_20_questions_65_rows.tsv';
  const questions = await mmbench.read({ file, extractedImages: await temporaryFolder() });
  expect(questions).toHaveLength(65);
  for (const question of questions) {
    const { answers, generate } = mmbench.ask(question, 'generated', 'opencompass');
    expect(answers).toEqual([]);
    expect(generate).toMatchObject({ maximumNewTokens: 29, trimsTurn: true });
    const turn = questionTurn(miniGpt4PromptForm, generate?.question ?? '', { withImage: true });
    expect(turn.trimEnd()).toBe(prompts[question.id]);
  }
});

test('Vanilla counts the original questions, CircularEval those right in every rotation', () => {
  const { vanilla, circular } = mmbench.score(answer(items, [2000000, 12]));
  expect(right(vanilla)).toEqual(['0', '7']);
  expect(right(circular)).toEqual(['7']);
  expect(vanilla).toHaveLength(3);
  expect(circular).toHaveLength(3);
  expect(circular?.[1]?.groups).toEqual({ 'l2-category': 'perception', category: 'attribute_comparison' });
});

test('the splits of a file are scored apart too, as VLMEvalKit reports them', () => {
  const ofTwo = items.map((item) => ({ ...item, split: item.index % 1_000_000 === 7 ? 'test' : 'dev' }));
  const { vanilla } = mmbench.score(answer(ofTwo));
  expect(vanilla?.map(({ groups }) => groups?.split)).toEqual(['dev', 'test', 'dev']);
});

test('an answer without a choice is wrong', () => {
  const answered = answer(items).map((one) => (one.question.index === 7 ? { ...one, choice: undefined } : one));
  expect(right(mmbench.score(answered).vanilla)).toEqual(['0', '12']);
});

test('a file without rotations has no CircularEval, one without answers no score', async () => {
  const originals = items.slice(0, 3);
  expect(Object.keys(mmbench.score(answer(originals)))).toEqual(['vanilla']);
  expect(
    mmbench.score(answer(originals).map((one) => ({ ...one, question: { ...one.question, answer: undefined } }))),
  ).toEqual({});
});

test('the submission has the official columns, a row for each question and rotation', async () => {
  const folder = await temporaryFolder();
  expect(await mmbench.write?.(answer(items, [7]), folder)).toEqual(['mmbench-submission.xlsx']);
  const sheet = await sheetOf(join(folder, 'mmbench-submission.xlsx'));
  expect(sheet).toHaveLength(10);
  expect(sheet[0]).toEqual(['index', 'question', 'A', 'B', 'C', 'D', 'prediction', 'category', 'l2-category', 'split']);
  expect(sheet[1]).toEqual([
    '0',
    'What color is it?',
    'red',
    'green',
    'blue',
    'yellow',
    'A',
    'attribute_recognition',
    'perception',
    'dev',
  ]);
  expect(sheet[2]).toEqual([
    '7',
    'Is "it" red?\tOr not?',
    'yes',
    'no',
    '',
    '',
    'A',
    'attribute_comparison',
    'perception',
    'dev',
  ]);
  const written = items.map((question) => ({
    question,
    choice: 0,
    losses: [],
    text: 'It is (B), I think.\n\u000bOr C?',
  }));
  await mmbench.write?.(written, folder);
  const texts = await sheetOf(join(folder, 'mmbench-submission.xlsx'));
  expect(texts[1]?.[6]).toBe('It is (B), I think.\nOr C?');
  // The options of this one look like numbers, and must stay texts.
  expect(sheet[3]?.slice(2, 5)).toEqual(['1', '2', '3']);
});
