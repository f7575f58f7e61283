/**
 * `dataengine init` on folders such as people have, and what it writes.
 */
import { appendFile, copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Ask, initialize } from '../../../cli/init/init.ts';
import { writeOwnFolder } from '../../../demo/scenes/write-own-folder.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tinyModel } from '../../round/tiny-run.ts';
import { printedBy } from '../in-this-process.ts';

async function ownFolder(images = 40): Promise<{ parent: string; folder: string; output: string }> {
  const parent = await temporaryFolder();
  const folder = join(parent, 'line 2');
  await writeOwnFolder({ folder, images, seed: 1 });
  return { parent, folder, output: join(parent, 'own.yaml') };
}

const flags = ['--model', tinyModel, '--teacher', 'local'];

test('writes a config that loads, with the questions divided by image, and says what it understood', async () => {
  const { folder, output } = await ownFolder();
  const printed = await printedBy('init', folder, ...flags, '--output', output);
  expect(printed).toMatch(/questions +│ 160 \(questions\): \d+ with 4 choices, \d+ with short answers/);
  expect(printed).toContain('no column: the teacher classifies them');
  expect(printed.match(/shot-\w+\.jpg/g)).toHaveLength(3);
  expect(printed).toMatch(/The data is complete: \d+ questions to score, 40 images/);
  expect(printed.trimEnd().split('\n').at(-1)).toBe(`Next: dataengine run --local --config ${output}`);

  const config = await loadConfig(output);
  expect(config.data).toMatchObject({
    root: folder,
    images: { train: 'photos', validation: 'photos' },
    descriptions: { source: 'image' },
    train: [{ dataset: 'questions', file: 'dataengine-split/train.jsonl' }],
    validation: { file: 'dataengine-split/validation.jsonl', questions: { metric: 'exact-match' } },
  });
  expect(config.finetune.stepsPerEpoch).toBe('auto');
  expect(config.refine.evaluationSimilarity).toBe('off');
  const text = await readFile(output, 'utf8');
  expect(text).toMatch(/^ *# /m);
  // Config and data can be moved together.
  expect(parse(text).data.root).toBe(relative(dirname(output), folder));
}, 120_000);

test('with --skip-invalid, records that do not fit are left out of the division, and the config says so', async () => {
  const { folder, output } = await ownFolder(20);
  const file = join(folder, 'questions.jsonl');
  await appendFile(file, `${JSON.stringify({ image: 'none.jpg' })}\n`);
  const refused = printedBy('init', folder, ...flags, '--output', output);
  await expect(refused).rejects.toMatchObject({ file, field: 'question', line: 81 });
  await printedBy('init', folder, ...flags, '--skip-invalid', '--output', output);
  const { data } = await loadConfig(output);
  expect(data.train).toMatchObject([{ skipInvalid: true }]);
  expect(data.validation.questions?.skipInvalid).toBe(true);
  const split = JSON.parse(await readFile(join(folder, 'dataengine-split', 'split.json'), 'utf8'));
  expect(Object.values(split.leftOut)).toEqual([1]);
}, 120_000);

test('takes files that are divided already, and images at the top of the folder', async () => {
  const { parent, output } = await ownFolder(20);
  const own = join(parent, 'flat');
  await rename(join(parent, 'line 2', 'photos', 'hall'), own);
  const text = await readFile(join(parent, 'line 2', 'questions.jsonl'), 'utf8');
  const rows = text.split('\n').filter((line) => line.includes('"hall/'));
  const plain = rows.map((line) => line.replaceAll('hall/', ''));
  await writeFile(join(own, 'my_train.jsonl'), plain.slice(0, 12).join('\n'));
  await writeFile(join(own, 'my_val.jsonl'), plain.slice(12).join('\n'));
  await printedBy('init', own, ...flags, '--output', output);
  const { data } = await loadConfig(output);
  expect(data).toMatchObject({ root: parent, images: { train: 'flat' } });
  expect(data.test).toBeUndefined();
  expect(data.train).toMatchObject([{ file: 'flat/my_train.jsonl' }]);
  expect(data.validation).toMatchObject({ file: 'flat/my_val.jsonl' });
}, 120_000);

test('asks at a terminal for what is not given, with a proposal', async () => {
  const { folder, output } = await ownFolder(20);
  const asked: string[] = [];
  const ask: Ask = async (question, proposed) => {
    asked.push(question);
    return question.startsWith('Model') ? tinyModel : question.startsWith('Teacher') ? 'local' : (proposed as string);
  };
  await initialize(folder, { output, replace: false, skipInvalid: false }, ask, new AbortController().signal);
  expect(asked.map((question) => question.split(' ')[0])).toEqual(['Model', 'Teacher', 'Question']);
  const config = await loadConfig(output);
  expect(config.teacher.provider).toBe('local');
  // What it proposes where the questions have no types.
  expect(config.questionTypes.source).toBe('discover');
}, 120_000);

test.each([
  ['--model', ['--teacher', 'local']],
  ['--teacher', ['--model', tinyModel]],
  ['--teacher-model', ['--model', tinyModel, '--teacher', 'http://127.0.0.1:8000/v1']],
])(
  'without a terminal, a missing %s is an error that names it',
  async (option, given) => {
    const { folder, output } = await ownFolder(20);
    await expect(printedBy('init', folder, ...given, '--output', output)).rejects.toThrow(`${option}: is missing`);
  },
  60_000,
);

test.each([
  [
    'a file of questions without an answer',
    '{"image":"a.jpg","question":"What?"}\n',
    /other\.jsonl:1: answers: is missing, and there are no choices/,
  ],
  [
    'images that are nowhere',
    '{"image":"nowhere/a.jpg","question":"What?","answer":"it"}\n',
    /nowhere\/a\.jpg.*which is not in/,
  ],
  [
    'conversations alone',
    '{"messages":[{"role":"user","content":"Hi"}]}\n',
    /has conversations, which are trained on but not/,
  ],
])(
  '%s: the error names file and record',
  async (_, line, message) => {
    const { folder, output } = await ownFolder(20);
    const file = join(folder, 'other.jsonl');
    await writeFile(file, line);
    await expect(printedBy('init', folder, ...flags, '--questions', 'other.jsonl', '--output', output)).rejects.toThrow(
      message,
    );
  },
  60_000,
);

test.each<[string, string, string | Buffer, RegExp]>([
  ['no question column', 'q.csv', 'Frage,image\nWas?,a.jpg\n', /q\.csv has no 'question', but 'Frage', 'image'/],
  [
    'columns in capitals',
    'q.tsv',
    'Image\tQuestion\na.jpg\tWhat?\n',
    /q\.tsv has no 'question', but 'Image', 'Question'/,
  ],
  ['semicolons', 'q.csv', 'image;question;answer\na.jpg;What?;it\n', /q\.csv has semicolons between the names/],
  ['nothing in it', 'q.csv', '', /q\.csv is empty/],
  ['names of columns alone', 'q.csv', 'image,question,answer\n', /q\.csv has no rows/],
  ['one object around the records', 'q.json', '{\n "data": [{}]\n}', /q\.json is one JSON object/],
  ['JSON that is cut short', 'q.json', '[{"image": "a.jpg"', /q\.json .*ends too early/],
  ['UTF-16', 'q.csv', Buffer.from('\ufeffimage,question\n', 'utf16le'), /q\.csv is UTF-16/],
  [
    'a spreadsheet behind a name',
    'q.csv',
    Buffer.from('504b030414000600', 'hex'),
    /q\.csv is a ZIP archive, such as an Excel/,
  ],
  ['conversations alone', 'q.jsonl', '{"messages":[]}\n', /q\.jsonl has conversations, which are not scored/],
])(
  'of a folder without questions, the error says of each file why: %s',
  async (_, name, content, message) => {
    const { folder, output } = await ownFolder(20);
    await rm(join(folder, 'questions.jsonl'));
    await writeFile(join(folder, name), content);
    const failing = printedBy('init', folder, ...flags, '--output', output);
    await expect(failing).rejects.toThrow(message);
    await expect(failing).rejects.toThrow(/has no file of questions .* Name a file of questions.*--questions$/);
  },
  60_000,
);

test('of several files of questions, the error names them', async () => {
  const { folder, output } = await ownFolder(20);
  await copyFile(join(folder, 'questions.jsonl'), join(folder, 'test.jsonl'));
  const failing = printedBy('init', folder, ...flags, '--output', output);
  await expect(failing).rejects.toThrow(/2 files of questions \(questions\.jsonl, test\.jsonl\)/);
}, 60_000);

test.each<[string, string[], RegExp]>([
  ['a model that is not there', ['--model', 'nowhere'], /--model: there is no folder nowhere/],
  ['an empty model', ['--model', ''], /--model: is missing/],
  ['an unknown teacher', ['--teacher', 'banana'], /--teacher: there is no teacher banana.*azure, local, openai/],
  ['an address that is none', ['--teacher', 'http://', '--teacher-model', 'm'], /--teacher: 'http:\/\/' is not a URL/],
  ['images that are not there', ['--images', 'nowhere'], /names '.*', which is not in .*nowhere\. .*--images/],
  ['questions that are not there', ['--questions', 'nowhere.csv'], /nowhere\.csv: no such file/],
])(
  '%s: nothing is written',
  async (_, wrong, message) => {
    const { parent, folder, output } = await ownFolder(20);
    await expect(printedBy('init', folder, ...flags, ...wrong, '--output', output)).rejects.toThrow(message);
    expect(await readdir(parent)).toEqual(['line 2']);
    expect((await readdir(folder)).sort()).toEqual(['photos', 'questions.jsonl']);
  },
  60_000,
);

test('a folder that is missing or a file is named', async () => {
  const { folder } = await ownFolder(20);
  await expect(printedBy('init', `${folder}-2`, ...flags)).rejects.toThrow(/line 2-2: no such folder/);
  const file = join(folder, 'questions.jsonl');
  await expect(printedBy('init', file, ...flags)).rejects.toThrow(/questions\.jsonl: is a file, not a folder/);
}, 60_000);

test('images behind a link to a folder are found, and drawn as many as are free', async () => {
  const { parent, folder, output } = await ownFolder(20);
  await rename(join(folder, 'photos'), join(parent, 'elsewhere'));
  await symlink('../elsewhere', join(folder, 'photos'));
  const printed = await printedBy('init', folder, ...flags, '--output', output);
  expect(printed).toMatch(/images +│ 20 below/);
  const { sides } = JSON.parse(await readFile(join(folder, 'dataengine-split', 'split.json'), 'utf8'));
  expect((await loadConfig(output)).sampling.requests).toBe(sides.train.images);
}, 120_000);

test('a model of another family is trained by PyTorch', async () => {
  const { parent, folder, output } = await ownFolder(20);
  const model = join(parent, 'qwen');
  await mkdir(model);
  await writeFile(join(model, 'config.json'), '{"model_type": "qwen2_5_vl"}');
  for (const name of ['model.safetensors', 'tokenizer.json', 'preprocessor_config.json'])
    await writeFile(join(model, name), '');
  await printedBy('init', folder, '--teacher', 'local', '--model', model, '--output', output);
  expect((await loadConfig(output)).trainer).toBe('torchrun');
}, 120_000);

test('a division of the same questions is taken as it is, one of others is not', async () => {
  const { folder, output } = await ownFolder(20);
  await printedBy('init', folder, ...flags, '--output', output);
  const train = join(folder, 'dataengine-split', 'train.jsonl');
  const divided = await readFile(train, 'utf8');
  const again = `${output}.yaml`;
  await printedBy('init', folder, ...flags, '--output', again);
  expect(await readFile(train, 'utf8')).toBe(divided);
  await writeFile(join(folder, 'questions.jsonl'), divided);
  const failing = printedBy('init', folder, ...flags, '--output', `${output}.2`);
  await expect(failing).rejects.toThrow(/dataengine-split: is a division of other questions.*--replace/);
}, 120_000);

test('the next command can be pasted', async () => {
  const { parent, folder } = await ownFolder(20);
  const output = join(parent, "own's küche.yaml");
  const printed = await printedBy('init', folder, ...flags, '--output', output);
  expect(printed).toContain(`--config '${output.replace("'", "'\\''")}'\n`);
}, 120_000);

test('a config that is there stays, without --replace', async () => {
  const { folder, output } = await ownFolder(20);
  await writeFile(output, 'seed: 1\n');
  await expect(printedBy('init', folder, ...flags, '--output', output)).rejects.toThrow(/is there already/);
  expect(await readFile(output, 'utf8')).toBe('seed: 1\n');
}, 60_000);

test('a folder without images is named', async () => {
  const folder = join(await temporaryFolder(), 'empty');
  await mkdir(folder);
  await writeFile(join(folder, 'q.csv'), 'image,question,answer\na.jpg,What?,it\n');
  await expect(printedBy('init', folder, ...flags)).rejects.toThrow(/empty: has no images/);
});

test('question types are discovered, from the column, or of a file, as --types says', async () => {
  const { folder, output } = await ownFolder(20);
  const initialized = async (...given: string[]) => {
    const printed = await printedBy('init', folder, ...flags, '--replace', '--output', output, ...given);
    const { data, questionTypes } = await loadConfig(output);
    return { printed, list: data.questionTypes, source: questionTypes.source };
  };
  const discovered = await initialized('--types', 'discover');
  expect(discovered).toMatchObject({ source: 'discover' });
  expect(discovered.printed).toContain('the teacher discovers them after round 0');
  await expect(initialized('--types', 'column')).rejects.toThrow(
    /--types: column: the questions have no column of types/,
  );
  await expect(initialized('--types', 'none.yaml')).rejects.toThrow(/--types: there is no file none\.yaml/);

  const file = join(folder, '../types.yaml');
  await writeFile(file, '- { name: shape, title: shape, explanation: Which shape it has. }\n');
  expect(await initialized('--types', file)).toMatchObject({ source: 'file', list: file });
  await writeFile(file, '- { name: shape }\n');
  await expect(initialized('--types', file)).rejects.toThrow(/types\.yaml: \[0\]\.title: is missing/);

  const questions = join(folder, 'questions.jsonl');
  const typed = (await readFile(questions, 'utf8')).replaceAll('{"', '{"type":"of mine","');
  await writeFile(questions, typed);
  expect(await initialized('--types', 'column')).toMatchObject({ source: 'column' });
}, 180_000);

test('a name that YAML would read as something else is written as a text', async () => {
  const { folder, output } = await ownFolder(20);
  await printedBy(
    'init',
    folder,
    '--model',
    tinyModel,
    '--teacher',
    'local',
    '--teacher-model',
    'no',
    '--output',
    output,
  );
  expect((await loadConfig(output)).teacher.model).toBe('no');
}, 60_000);
