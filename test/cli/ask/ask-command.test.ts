/** `dataengine ask`, typed as a person would, with a tiny model. */
import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { printable } from '../../../src/core/printable.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { generateTexts } from '../../../src/trainer/jobs/generate-text.ts';
import { recordingReporter, tinyFinetune } from '../../helpers/jobs.ts';
import { makeTinyTraining } from '../../helpers/tiny-model.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

let folder: string;
let model: string;
let adapter: string;
let other: string;
let image: string;
let second: string;

/** Types a command; `input` is what it reads. */
async function typed(words: readonly string[], input = ''): Promise<{ printed: string; errors: string; code: number }> {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), 'cli/main.ts', ...words], {
    env: { ...process.env, TMPDIR: folder },
  });
  const read = async (stream: NodeJS.ReadableStream) => {
    let text = '';
    for await (const part of stream) text += String(part);
    return text;
  };
  child.stdin.end(input);
  const code = new Promise<number>((resolve) => child.once('exit', (status) => resolve(status ?? -1)));
  const [printed, errors] = await Promise.all([read(child.stdout), read(child.stderr)]);
  return { printed, errors, code: await code };
}

const greedy = { strategy: { kind: 'greedy' }, maximumNewTokens: 8 } as const;
const short = ['--max-tokens', '8'];
async function expectedAnswer(directory: string, prompt: string): Promise<string> {
  const [answer] = await generateTexts(directory, [{ id: '0', prompt, image }], greedy);
  return printable(answer?.text.trim() ?? '');
}

beforeAll(async () => {
  const made = await makeTinyTraining(40);
  folder = made.folder;
  model = made.model;
  adapter = path.join(folder, 'adapter');
  other = path.join(folder, 'other');
  [image, second] = made.mixture.samples.map((sample) => sample.image) as [string, string];
  const learningRate = { initial: 0.05, peak: 0.05, final: 0.05, warmupSteps: 0 };
  await finetune(tinyFinetune(model, made.mixture, adapter, { learningRate }), recordingReporter());
  await cp(model, other, { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('prints the answer, and nothing else; says where it was cut', async () => {
  const { printed, errors, code } = await typed(['ask', model, image, 'What is it?', ...short]);
  expect([printed, code]).toEqual([`${await expectedAnswer(model, 'What is it?')}\n`, 0]);
  expect(errors).toMatch(/^(The answer was cut: --max-tokens allows more\.\n)?$/);
});

test('a seed gives the same drawn answer again', async () => {
  const words = ['ask', model, image, 'What is it?', ...short, '--temperature', '2', '--seed', '7'];
  const [one, again] = [await typed(words), await typed(words)];
  expect(one.printed).toBe(again.printed);
  expect(one.printed).not.toBe(`${await expectedAnswer(model, 'What is it?')}\n`);
});

test('puts the answers of two models, or of a model and an adapter, side by side', async () => {
  const { printed } = await typed(['ask', model, image, 'What is it?', ...short, '--compare', adapter]);
  const plain = await typed(['ask', model, image, 'What is it?', ...short]);
  const adapted = await typed(['ask', model, image, 'What is it?', ...short, '--adapter', adapter]);
  expect(adapted.printed).not.toBe(plain.printed);
  const columns = printed
    .split('\n')
    .filter((line) => line.startsWith('│'))
    .map((line) =>
      line
        .split('│')
        .slice(1, 3)
        .map((cell) => cell.trim()),
    );
  expect(columns[0]).toEqual(['model', 'adapter']);
  const joined = [0, 1].map((column) =>
    columns
      .slice(1)
      .map((cells) => cells[column])
      .join('')
      .replaceAll(/\s/g, ''),
  );
  expect(joined).toEqual([plain.printed, adapted.printed].map((text) => text.replaceAll(/\s/g, '')));
  const models = await typed(['ask', model, image, 'What is it?', ...short, '--compare', other]);
  expect(models.printed).toContain('│ other');
});

test('without a question, a line of its input is a turn; /image and /new change what is asked about', async () => {
  const first = (await typed(['ask', model, image, 'What is it?', ...short])).printed.trimEnd();
  const lines = ['What is it?', 'Why?', '', '/new', 'What is it?', `/image ${second}`, 'And now?'];
  const { printed, code } = await typed(['ask', model, image, ...short], `${lines.join('\n')}\n`);
  const answers = printed.trimEnd().split('\n');
  expect(code).toBe(0);
  expect(answers).toHaveLength(4);
  expect([answers[0], answers[2]]).toEqual([first, first]);
});

test('shows several images with a question, from the command line and line by line', async () => {
  const question = { id: '0', prompt: 'Which is red?', image, laterImages: [second] };
  const [expected, turned] = await generateTexts(
    model,
    [question, { ...question, image: second, laterImages: [image] }],
    greedy,
  );
  const { printed } = await typed(['ask', model, image, 'Which is red?', '--image', second, ...short]);
  expect(printed).toBe(`${printable(expected?.text.trim() ?? '')}\n`);
  const lines = [`/image ${second}`, `/also ${image}`, 'Which is red?'];
  const asked = await typed(['ask', model, '-', ...short], `${lines.join('\n')}\n`);
  expect(asked.printed).toBe(`${printable(turned?.text.trim() ?? '')}\n`);
});

test('names what is wrong', async () => {
  const empty = path.join(folder, 'empty');
  await mkdir(empty);
  const wrong = async (...words: string[]) => {
    const { printed, errors, code } = await typed(['ask', ...words]);
    expect([printed, code]).toEqual(['', 2]);
    return errors;
  };
  expect(await wrong(model, 'What is it?')).toContain(
    'What is it?: there is no such image. Name an image file, or - to ask',
  );
  await writeFile(path.join(empty, 'text.jpg'), 'no image');
  expect(await wrong(model, path.join(empty, 'text.jpg'), 'x')).toContain('text.jpg');
  const cut = path.join(empty, 'cut.jpg');
  await writeFile(cut, (await readFile(image)).subarray(0, -200));
  expect(await wrong(model, image, 'x', '--image', cut)).toContain('cut.jpg: is cut short or not an image');
  expect(await wrong(model, image, ' ')).toContain('[question]: is empty. Write one, or leave it out');
  expect(await wrong(empty, image, 'x')).toContain('holds no model (config.json) and no rounds of a run');
  expect(await wrong(adapter, image, 'x')).toContain(
    'is an adapter. Name the base model, and the adapter with --adapter',
  );
  // --image takes one file: the question may stand behind it.
  const missing = path.join(folder, 'missing');
  expect(await wrong(missing, image, '--image', second, '--stop', '.', 'x')).toContain('missing: does not exist');
  expect(await wrong(model, image, 'x', '--round', '1')).toContain('is no folder of a run, and a round is named');
  const { errors, code } = await typed(['model', 'generate', '--model', model, '--prompt', 'x']);
  expect(errors).toContain('`model generate` was replaced by `dataengine ask MODEL IMAGE "question"`');
  expect(code).toBe(2);
  expect((await readdir(folder)).filter((name) => name.startsWith('dataengine-engine-'))).toEqual([]);
});

test('asks without an image', async () => {
  expect((await typed(['ask', model, '-', 'What is red?', ...short])).code).toBe(0);
});
