import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, transform } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { findOnPath } from '../../scripts/setup/programs.mjs';
import { inTerminal } from '../helpers/pseudo-terminal.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

/** Runs a program of a checkout and returns its lines, each by its name. */
function lines(folder: string, program: string[], environment: NodeJS.ProcessEnv = {}) {
  const { stdout, stderr, status } = spawnSync(process.execPath, program, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '', CI: '1', ...environment },
  });
  const found = [...stdout.matchAll(/^(ok |-- |bad) (\S.*?) {2,}(.*)$/gm)];
  const by: Record<string, { state: string; text: string }> = {};
  for (const [, state = '', name = '', text = ''] of found) by[name] = { state, text };
  return { stdout, stderr, status, by };
}

/** A fresh clone: what Git has of it, nothing installed. */
async function freshClone(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ['bin', 'scripts', 'cli', 'package.json', 'package-lock.json'])
    cpSync(name, join(folder, name), { recursive: true });
  return folder;
}

test('everything is there on the machine that runs the tests, and no color goes into a pipe', () => {
  const { by, status, stdout } = lines('.', ['scripts/doctor.mjs']);
  expect(Object.entries(by).map(([name, { state }]) => [name, state])).toEqual(
    [
      ...[
        'Node',
        'Python',
        'C++ compiler',
        'make',
        'npm packages',
        'Temporal CLI',
        'TensorFlow',
        'GPU',
        'Disk',
        'Downloads',
      ],
    ].map((name) => [name, 'ok ']),
  );
  expect(by.TensorFlow?.text).toMatch(/^2\.\d+\.\d+, a matrix product was computed$/);
  expect(by.Downloads?.text).toMatch(/^\d+\.\d GB in \.cache; `npm run dataengine -- clean` removes them$/);
  expect(stdout).not.toContain('\u001b');
  expect(status).toBe(0);
}, 120_000);

test.each([['scripts/doctor.mjs'], ['bin/dataengine.mjs', 'doctor']])(
  'in a fresh clone, before anything is installed, %s says what is there and what set-up will install',
  async (...program) => {
    const { by, status, stdout, stderr } = lines(await freshClone(), program, { DATAENGINE_TENSORFLOW: '' });
    expect(stderr).toBe('');
    for (const name of ['Node', 'Python', 'C++ compiler', 'make', 'Disk']) expect(by[name]?.state, name).toBe('ok ');
    for (const name of ['npm packages', 'TensorFlow']) expect(by[name]?.state, name).toBe('-- ');
    expect(stdout).toContain('is not installed yet: `npm run setup` does that.');
    expect(status).toBe(0);
  },
  60_000,
);

test('says of each prerequisite that is missing how to install it', async () => {
  const folder = await freshClone();
  const programs = join(folder, 'programs');
  mkdirSync(programs);
  // A Python without pip.
  const python = join(programs, 'python3');
  writeFileSync(python, '#!/bin/sh\necho "No module named pip" >&2; exit 1\n');
  chmodSync(python, 0o755);
  symlinkSync(findOnPath('sh') ?? '/bin/sh', join(programs, 'sh'));
  const { by, status } = lines(folder, ['scripts/doctor.mjs'], { PATH: programs, CXX: '' });
  expect(by.Python).toMatchObject({ state: 'bad', text: expect.stringContaining('no Python 3.9 or newer with pip') });
  expect(by.Python?.text).toContain('No module named pip');
  expect(by['C++ compiler']?.text).toContain('`apt-get install g++`');
  expect(by.make).toMatchObject({ state: 'bad', text: expect.stringContaining('`apt-get install make`') });
  expect(status).toBe(1);
}, 60_000);

test('what is kept where nothing is installed is no download', async () => {
  const folder = await freshClone();
  mkdirSync(join(folder, '.cache'));
  writeFileSync(join(folder, '.cache/setup.json'), '{}');
  const { by } = lines(folder, ['scripts/doctor.mjs'], { DATAENGINE_TENSORFLOW: '' });
  expect(Object.keys(by)).toContain('Disk');
  expect(Object.keys(by)).not.toContain('Downloads');
}, 60_000);

test('in a terminal of 80 columns what does not fit goes below the text, in doctor and in set-up', async () => {
  const ours = (line: string) => !line.includes(process.cwd());
  const doctor = await inTerminal(80, [process.execPath, 'scripts/doctor.mjs']);
  expect(doctor.broken.filter(ours)).toEqual([]);
  const start = 'ok  Temporal CLI  '.length;
  const continued = doctor.lines.filter((line) => line !== '' && !/^(ok|--|bad) /.test(line));
  for (const line of continued) expect(line.search(/\S/), line).toBe(start);
  const setup = await inTerminal(80, [process.execPath, 'scripts/setup.mjs']);
  expect(setup.broken.filter(ours)).toEqual([]);
  expect(setup.lines.filter((line) => line.startsWith('✓'))).toHaveLength(5);
}, 300_000);

test('any other command says that nothing is installed yet, without a stack', async () => {
  const { status, stderr } = lines(await freshClone(), ['bin/dataengine.mjs', 'run']);
  expect(stderr).toBe(
    'Nothing is installed yet. Run `npm run setup`;\n`npm run doctor` says what this machine lacks.\n',
  );
  expect(status).toBe(1);
});

describe('on a Node that is too old', () => {
  /** For the program only; the Node that runs it is a new one. */
  const old =
    'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"12.22.0"}})';

  test.each([
    [
      ['scripts/doctor.mjs'],
      /^bad Node {2}12\.22\.0 \(.*\): install Node 20\.19 or newer \(https:\/\/nodejs\.org\)\n$/,
    ],
    [['bin/dataengine.mjs', 'doctor'], /^bad Node {2}12\.22\.0 /],
    [['bin/dataengine.mjs', 'run'], /^This is Node 12\.22\.0: install Node 20\.19 or newer/],
    [['scripts/setup.mjs'], /^Set-up failed: this is Node 12\.22\.0\n {2}What to do: install Node 20\.19 or newer/],
  ])('%s says so and nothing else', (program, said) => {
    const { stdout, stderr, status } = lines('.', ['--import', old, ...program]);
    expect(stdout + stderr).toMatch(said);
    expect(status).toBe(1);
  });

  test.each(['bin/dataengine.mjs', 'scripts/doctor.mjs', 'scripts/setup.mjs'])(
    'what %s imports before it knows has no syntax and no import that Node 12 lacks',
    async (entry) => {
      for (const file of await importedBy(entry)) {
        const text = readFileSync(file, 'utf8');
        const { code } = await transform(text, { target: 'node12.22', minifyWhitespace: true });
        expect(code, file).toBe((await transform(text, { target: 'esnext', minifyWhitespace: true })).code);
        expect(text, file).not.toMatch(/^await |from 'node:/m);
      }
    },
  );
});

/** A program and all that it imports statically. */
async function importedBy(entry: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    // What is imported later is not linked before.
    plugins: [
      {
        name: 'static imports alone',
        setup: ({ onResolve }) =>
          onResolve({ filter: /./ }, ({ kind, path }) =>
            kind === 'dynamic-import' ? { path, external: true } : undefined,
          ),
      },
    ],
  });
  return Object.keys(metafile.inputs);
}
