/** No path is joined to a text that data, a record or a config gives, but by `joinInside`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { projectFile } from '../../src/core/files.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { dataJoinsOf } from './path-joins.ts';

/** What programs and libraries are in; `bench/`, `scripts/` and `test/` read what is theirs. */
const checked = /^(activities|bin|cli|demo|src|workers|workflows)\//;

const listed = 'a name that the system listed in this very folder: it has no separator, and is no ..';
const atTerminal = 'named by the person at this terminal, or listed in the folder that they named';
const own = "a name of the program's own tables";

/** Joins that were looked at: file → argument → why it can't lead out. */
const reviewed: Record<string, Record<string, string>> = {
  'src/core/inside.ts': {
    path: 'joinInside itself',
    'basename(path)': 'followLinks puts the path together again that it took apart',
  },
  'src/config/config-source.ts': { 'last.extends': 'requireConfigAccess checks it before it is read' },
  'src/config/load-config.ts': {
    path: 'of the config; what a workflow names is checked by requireConfigPaths before the run is opened',
    'relative(shipped, folder)': 'a folder of the package, which was found to be below configs',
  },
  'src/core/setup-file.ts': { value: 'of the file that the set-up writes; programs may be anywhere' },
  'src/core/remote/run-files.ts': { folder: 'of the same walk', 'entry.name': listed },
  'src/core/remote/object-cache.ts': { name: listed },
  'src/core/remote/stored-run.ts': { folder: own },
  'src/datasets/files-below.ts': { 'next.path': listed, 'entry.name': listed, path: listed },
  'src/datasets/split/split-questions.ts': { target: own },
  'src/datasets/tables/shards.ts': { name: listed },
  'src/datasets/build-coco-index.ts': { name: listed },
  'src/datasets/export-conversations.ts': { path: 'of fileOf, which stays in its folder; no file is opened' },
  'src/datasets/export-llava.ts': {
    'relative(images.folder.path, await images.folder.fileOf(sample.image_id))':
      'fileOf stays in its folder; no file is opened',
  },
  'src/evaluation/benchmarks/aokvqa.ts': { 'basename(image)': 'a text in a file of results; no file is opened' },
  'src/evaluation/benchmarks/questions.ts': { 'basename(image)': 'a text in a file of results; no file is opened' },
  'src/evaluation/compare-models.ts': { name: listed },
  'src/teacher/call-log.ts': { name: listed },
  'src/round/preflight/model-directory.ts': { name: listed },
  'src/round/report/run-standing.ts': { name: 'of files that the system listed below this very folder' },
  'cli/clean-command.ts': { name: listed },
  'src/teacher/ledger.ts': { file: listed },
  'src/model/ops/tensorflow.ts': { name: listed },
  'src/trainer/supervisor/memory-watch.ts': {
    'own(/^0::(.+)$/m)': "this process's group, as the kernel names it",
    'own(/^\\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.+)$/m)': "this process's group, as the kernel names it",
    name: own,
  },
  'src/model/files/asking-files.ts': { name: own },
  'src/model/files/companion-files.ts': { name: listed },
  'src/model/files/write-model-directory.ts': { name: listed },
  'src/model/families/minigpt4/assemble/tensor-source.ts': { index: own },
  'src/round/base-model.ts': { name: listed },
  'src/serving/left-folders.ts': { name: listed },
  'src/round/step-directory.ts': { 'folder.name': own, "shards?.folder ?? ''": own },
  'src/round/asking/kept-answers.ts': { list: listed },
  'src/round/evaluate/evaluate.ts': { file: own },
  'src/round/read-datasets.ts': { 'officialFiles.folder': own, name: listed },
  'src/round/merge/merge.ts': { name: listed },
  'src/round/retention/needed-by-others.ts': {
    'entry.name': listed,
    value: "only compared with the run's folder; no file is opened",
    dataRoot: "only compared with the run's folder; no file is opened",
  },
  'src/round/frozen-config.ts': { path: 'of the config; requireConfigPaths checks it before the run is opened' },
  'src/round/retention/plan-on-disk.ts': { 'entry.name': listed },
  'src/round/publish.ts': { name: listed },
  'src/round/report/read-times.ts': { name: listed },
  'src/round/report/report-runs.ts': { name: listed },
  'src/trainer/jobs/vision/image-cache.ts': { name: listed },
  'src/trainer/jobs/finetune/checkpoint.ts': { name: listed },
  'cli/init/look-at-folder.ts': { path: atTerminal },
  'cli/init/questions-of-folder.ts': { 'sides.train': listed, path: atTerminal },
  'cli/init/init.ts': {
    path: atTerminal,
    'imageFolder(paths)': atTerminal,
    file: atTerminal,
    name: own,
    'parts.images': atTerminal,
  },
  'cli/data-history-commands.ts': { file: 'printed; no file is opened' },
  'demo/command/demo.ts': { name: 'the name of the run that was checked, with a number' },
  'demo/scenes/images.ts': { fileName: own },
  'demo/scenes/dataset-manifest.ts': { file: own },
  'demo/scenes/write-dataset.ts': {
    folder: own,
  },
};

test('all other joins of texts that the program does not write itself go through joinInside', {
  timeout: 180_000,
}, () => {
  const root = projectFile('.');
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const isChecked = (file: string) => checked.test(file);
  const files = fileNames.filter((file) => isChecked(file.slice(root.length).replace(/^\//, '')));
  expect(files.length).toBeGreaterThan(300);
  const program = ts.createProgram(files, { ...options, noEmit: true, incremental: false });
  const found = dataJoinsOf(program, root, isChecked);
  const unknown = found.filter(({ file, argument }) => reviewed[file]?.[argument] === undefined);
  expect(unknown.map(({ file, line, argument }) => `${file}:${line}: use joinInside for ${argument}`)).toEqual([]);
  const left = new Set(found.map(({ file, argument }) => `${file}: ${argument}`));
  const entries = Object.entries(reviewed).flatMap(([file, all]) => Object.keys(all).map((name) => `${file}: ${name}`));
  expect(entries.filter((entry) => !left.has(entry))).toEqual([]);
});

test('a join is found under every name, and a text of the program is told from data', { timeout: 60_000 }, async () => {
  const root = await temporaryFolder();
  await mkdir(join(root, 'src'));
  const file = join(root, 'src', 'joins.ts');
  await writeFile(
    file,
    [
      "import { join, resolve as absolute } from 'node:path';",
      "import path, { posix } from 'node:path';",
      "import * as all from 'path';",
      'declare const data: string;',
      'declare const record: { name: string; kind: "a" | "b"; round: number };',
      "const names = ['a.json', 'b.json'];",
      'const hashValue = (value: unknown): string => String(value);',
      'const numbered = (round: number) => `round-#{round}.json`;',
      // Own texts:
      "join(data, 'a', `round-#{record.round}`, record.kind, numbered(3), hashValue(data).slice(0, 9));",
      'for (const name of names) absolute(data, name);',
      "names.map((name) => path.join(data, name, ['x'].join('/')));",
      // Data:
      'join(data, data);',
      "absolute('folder', record.name);",
      'path.resolve("folder", `#{data}.json`);',
      'posix.join("folder", data);',
      'all.join("folder", ...[data]);',
      'path.win32.join("folder", data ?? "x");',
      'let changing = "a" as string; join("folder", changing);',
      'for (const name of [data]) join("folder", name);',
    ]
      .join('\n')
      .replaceAll('#', '$'),
  );
  const options = {
    noEmit: true,
    strict: true,
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    typeRoots: [projectFile('node_modules/@types')],
  };
  const found = dataJoinsOf(ts.createProgram([file], options), root, (name) => name.startsWith('src/'));
  expect(found.map(({ argument }) => argument)).toEqual([
    "['x'].join('/')",
    'data',
    'record.name',
    '`#{data}.json`'.replace('#', '$'),
    'data',
    '...[data]',
    'data ?? "x"',
    'changing',
    'name',
  ]);
});
