import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { writeSceneDataset } from '../../demo/scenes/write-dataset.ts';
import { pope } from '../../examples/pope.ts';
import { projectFile } from '../../src/core/files.ts';
import { benchmarkOf } from '../../src/evaluation/benchmarks/index.ts';
import type { JobSpec } from '../../src/trainer/protocol.ts';
import { runTrainer } from '../../src/trainer/supervisor/run-trainer.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const command = typescriptTrainer(projectFile('examples/shortest-answer-trainer.ts'));

async function lines(folder: string, name: string, values: object[]): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
  return file;
}

test('POPE is read, asked and scored; a wrong line is named', async () => {
  const folder = await temporaryFolder();
  const question = { question_id: 7, image: 'a.jpg', text: 'Is there a dog in the image?', label: 'no' };
  const file = await lines(folder, 'pope.json', [question, { ...question, question_id: 8, label: 'yes' }]);
  const source = { file, images: '/images', extractedImages: folder };
  const questions = await pope.read(source);
  expect(questions.map(({ id, image }) => [id, image])).toEqual([
    ['7', '/images/a.jpg'],
    ['8', '/images/a.jpg'],
  ]);
  expect(pope.ask(questions[0] as (typeof questions)[0], 'ranked').answers).toEqual(['Yes', 'No']);
  const answered = questions.map((one) => ({ question: one, choice: 1, losses: [2, 1] }));
  expect(pope.score(answered).accuracy?.map(({ score }) => score)).toEqual([1, 0]);
  await lines(folder, 'pope.json', [question, { ...question, label: 'perhaps' }]);
  await expect(pope.read(source)).rejects.toThrow(/pope\.json:2: label/);
});

test('the trainer of the example does an evaluate job, and says so when it is given another', async () => {
  const folder = await temporaryFolder();
  const asked = { question: 'Which?', answerStart: '', answers: ['a cat', 'dog', 'birds'] };
  const questions = await lines(folder, 'questions.jsonl', [{ question_id: '1', ...asked }]);
  const output = join(folder, 'losses.jsonl');
  const common = { directory: join(folder, 'step'), stallTimeoutSeconds: 60, command };
  const result = await runTrainer({
    ...common,
    job: { kind: 'evaluate', model: '/none', questions, batchSize: 1, output },
  });
  expect(result).toEqual({ outputs: [output], metrics: { questions: 1 } });
  expect(JSON.parse(await readFile(output, 'utf8'))).toEqual({ question_id: '1', losses: [5, 3, 5] });
  const embed: JobSpec = { kind: 'embed', model: '/none', images: [], output };
  await expect(runTrainer({ ...common, job: embed })).rejects.toThrow('no embed jobs are done here');
});

test('the script of the example imports the libraries by the name of the project', async () => {
  const root = await temporaryFolder();
  const images = { trainImages: 2, validationImages: 2, testImages: 2, alignmentImages: 1 };
  await writeSceneDataset({ root, seed: 1, ...images });
  const questions = join(root, 'A-OKVQA/aokvqa_v1p0_val.json');
  const script = projectFile('examples/direct-answers.ts');
  const line = ['--import', 'tsx', script, 'data/stage1', questions, join(root, 'COCO2017/val2017'), '3'];
  const { stdout } = await promisify(execFile)(process.execPath, line, { cwd: projectFile('') });
  const read = await benchmarkOf('aokvqa').read({ file: questions, images: '/none', limit: 3, extractedImages: root });
  const ids = stdout.split('\n').map((one) => one.split(' ')[0]);
  expect(ids.slice(0, 3)).toEqual(read.map(({ id }) => id));
  expect(stdout).toMatch(/\d+\.\d % of 3 questions\n$/);
});

test('what a script may import is there, and on the page', async () => {
  const { exports } = JSON.parse(await readFile('package.json', 'utf8')) as { exports: Record<string, string> };
  const modules = Object.keys(exports).filter((path) => path !== './package.json');
  const lines = modules.map((path) => `import ${JSON.stringify(path.replace('.', 'mllm-dataengine'))};\n`);
  const folder = await mkdtemp(join(projectFile('.cache'), 'exports-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'script.ts'), `${lines.join('')}console.log('all imported');`);
  const line = ['--import', 'tsx', join(folder, 'script.ts')];
  const { stdout } = await promisify(execFile)(process.execPath, line, { cwd: projectFile('') });
  expect(stdout).toBe('all imported\n');
  const page = await readFile('docs/extending.md', 'utf8');
  const documented = [...page.matchAll(/^\| `([\w/-]+)` \|/gm)].map(([, path]) => `./${path}`);
  expect(documented).toEqual(modules);
});

test('the pages show the examples as they are', async () => {
  const pages = await Promise.all(['docs/extending.md', 'docs/benchmarks.md'].map((page) => readFile(page, 'utf8')));
  const programs = (await readdir('examples')).filter((name) => name.endsWith('.ts'));
  for (const name of programs) {
    const source = await readFile(join('examples', name), 'utf8');
    const body = source.slice(source.indexOf('*/\n') + 3).trim();
    expect(
      pages.some((page) => page.includes(`\`\`\`ts\n${body}\n\`\`\``)),
      `${name} in docs/extending.md`,
    ).toBe(true);
  }
});
