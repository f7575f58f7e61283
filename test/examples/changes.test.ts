/**
 * What it costs to add a thing, shown by the changes in `examples/`: new files, and a line or two where such things are
 * registered. All are applied to one copy of the project, and run there.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { evaluationAnswerSchema } from '../../src/trainer/job-files.ts';
import type { StepRecord } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from '../round/tiny-run.ts';
import { type AppliedExample, applyExample, copyProject, type ProjectCopy } from './apply.ts';

/** The only files that each may change. */
const registrations = {
  'benchmark-with-written-answers': ['src/evaluation/benchmarks/index.ts'],
  'model-family': ['src/model/families/index.ts'],
  'step-in-a-round': ['src/round/steps.ts', 'workflows/round.ts'],
  'teacher-provider': ['src/teacher/providers/index.ts'],
};
type Example = keyof typeof registrations;

let copy: ProjectCopy;
const applied = {} as Record<Example, AppliedExample>;

beforeAll(async () => {
  copy = await copyProject();
  for (const [example, files] of Object.entries(registrations)) {
    applied[example as Example] = await applyExample(copy, join('examples', example), files);
  }
  return copy.remove;
});

test('a benchmark with written answers is one file and its registration', () => {
  expect(applied['benchmark-with-written-answers']).toEqual({
    added: ['src/evaluation/benchmarks/lenient-vizwiz.ts'],
    changed: registrations['benchmark-with-written-answers'],
    changedLines: 2,
  });
});

test('a model family is its folder and its registration', () => {
  const files = ['config.ts', 'index.ts', 'prompt.ts', 'tensors.ts'];
  expect(applied['model-family']).toEqual({
    added: files.map((name) => `src/model/families/llava-linear/${name}`),
    changed: registrations['model-family'],
    changedLines: 2,
  });
});

test('a step in the round is its folder, its row in the table and one line in the workflow', () => {
  expect(applied['step-in-a-round']).toEqual({
    added: ['src/round/audit/audit.ts', 'src/round/audit/results.ts'],
    changed: registrations['step-in-a-round'],
    changedLines: 14,
  });
});

test('a teacher provider is one file and its registration', () => {
  expect(applied['teacher-provider']).toEqual({
    added: ['src/teacher/providers/ollama.ts'],
    changed: registrations['teacher-provider'],
    changedLines: 2,
  });
});

test('the types fit, in the whole project', async () => {
  await copy.runNode('node_modules/typescript/bin/tsc', '--noEmit', '-p', '.');
});

test("the benchmark is evaluated: the model writes its answers, which are scored by people's", async () => {
  const folder = await temporaryFolder();
  const images = join(folder, 'val');
  await mkdir(images);
  for (const color of ['red', 'green', 'blue']) {
    const image = sharp({ create: { width: 64, height: 48, channels: 3, background: color } });
    await image.jpeg().toFile(join(images, `${color}.jpg`));
  }
  const question = (color: string, type: string) => ({
    image: `${color}.jpg`,
    question: 'What color is the image?',
    answer_type: type,
    answers: Array.from({ length: 10 }, () => ({ answer: color, answer_confidence: 'yes' })),
    answerable: 1,
  });
  const file = join(folder, 'val.json');
  const questions = [question('red', 'other'), question('green', 'other'), question('blue', 'number')];
  await writeFile(file, JSON.stringify(questions));
  const output = join(folder, 'scores');
  const command = [
    'evaluate',
    '--benchmark',
    'lenient-vizwiz',
    '--file',
    file,
    '--images',
    images,
    '--model',
    'data/stage1',
  ];
  const printed = await copy.runProgram('cli/main.ts', ...command, '--output', output);
  expect(printed).toContain('VizWiz-VQA, lenient');
  const answers = await readJsonLines(join(output, 'ranking', 'losses.jsonl'), evaluationAnswerSchema);
  expect(answers.map(({ question_id, losses }) => [question_id, losses])).toEqual(
    questions.map(({ image }) => [image, []]),
  );
  for (const { text } of answers) expect(text).not.toBe('');
  const { measures, unanswered } = await readScores(output);
  expect(unanswered).toBe(0);
  expect(measures).toMatchObject({ accuracy: {} });
});

test('a written answer is right as far as people gave the same, whatever it starts with', async () => {
  const people = ['red', 'Red.', 'the red', 'a blue one', 'a blue one', 'green'];
  const program = `
    import { benchmarkOf } from './src/evaluation/benchmarks/index.ts';
    const question = { id: 'a.jpg', answer_type: 'other', answers: ${JSON.stringify(people)}.map((answer) => ({ answer })) };
    const texts = ['Red', 'The answer is (C) red. It is warm.', 'blue one', 'green', 'yellow'];
    const answered = texts.map((text) => ({ question, text, losses: [] }));
    console.log(JSON.stringify(benchmarkOf('lenient-vizwiz').score(answered).accuracy.map(({ score }) => score)));
  `;
  await writeFile(join(copy.folder, 'score.ts'), program);
  expect(JSON.parse(await copy.runProgram('score.ts'))).toEqual([1, 1, 2 / 3, 1 / 3, 0]);
});

test('a tiny model of the family is finetuned, merged and scored by the trainer', async () => {
  const printed = JSON.parse(await copy.runProgram('test/examples/train-family.ts', 'llava-linear'));
  expect(printed).toMatchObject({
    architecture: 'LlavaLinearForConditionalGeneration',
    finetuned: { steps: 2, loss: expect.any(Number) },
    merged: { parity: expect.any(Number) },
    evaluated: { questions: 8, multipleChoice: expect.any(Number) },
  });
  expect(printed.finetuned.loss).toBeGreaterThan(0);
});

test('the step runs in the round of the workflow, and as a command', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({ ...tiny, rounds: 1 }));
  // The server writes lines of its own.
  const lines = (await copy.runProgram('test/examples/run-round.ts', config)).trim().split('\n');
  const steps: StepRecord[] = JSON.parse(lines.at(-1) ?? '');
  expect(steps.map(({ name }) => name).join(' ')).toContain('refine audit append');
  const { state, note } = steps.find(({ name }) => name === 'audit') ?? {};
  expect({ state, note }).toEqual({
    state: 'done',
    note: expect.stringMatching(/^\d of \d question types have no sample$/),
  });

  const directory = join(folder, 'runs', 'tiny', 'round-1', 'audit');
  const audit = await readFile(join(directory, 'audit.json'), 'utf8');
  const counts: { requested: number; accepted: number }[] = Object.values(JSON.parse(audit));
  expect(counts.reduce((sum, { requested }) => sum + requested, 0)).toBe(6);
  await rm(directory, { recursive: true });
  const printed = await copy.runProgram(
    'cli/main.ts',
    'audit',
    '--config',
    config,
    '--run',
    'tiny',
    '--round',
    '1',
    '--takeover',
  );
  expect(printed).toMatch(/^audit done in .*\n {2}question types: \d/);
  expect(await readFile(join(directory, 'audit.json'), 'utf8')).toBe(audit);
});

test("the provider's model writes samples, with no key and at no cost", async () => {
  const server = await startLocalTeacher();
  onTestFinished(() => server.close());
  const printed = JSON.parse(
    await copy.runProgram('test/examples/generate-with.ts', 'ollama', 'gpt-4', server.baseUrl),
  );
  expect(printed).toMatchObject({ outcome: { answers: 3, unanswered: 0 }, author: 'gpt-4', price: null });
  expect(server.counts().byKind).toEqual({ question: 3 });
});

test('each example says what it adds, and its commands', async () => {
  for (const [example, { added, changed }] of Object.entries(applied)) {
    const page = await readFile(join('examples', example, 'README.md'), 'utf8');
    for (const file of changed) expect(page).toContain(`\`${file}\``);
    for (const file of added) expect(page).toContain(file.split('/').at(-1));
    expect(page).toContain(`git apply examples/${example}/register.patch`);
  }
});
