import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createProgram } from '../../cli/program.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const launcher = fileURLToPath(new URL('../../bin/dataengine.mjs', import.meta.url));

/** Runs the command from another folder, as a person would. */
async function dataengine(...input: string[]): Promise<{ code: number; output: string; errors: string }> {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, 'wrong.yaml'), 'model: { path: x }\nsead: 3\ndata: { root: y }\n');
  return new Promise((resolve) => {
    execFile(process.execPath, [launcher, ...input], { cwd }, (error, output, errors) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output, errors });
    });
  });
}

test('help lists the steps and the exit codes', async () => {
  const { code, output } = await dataengine('--help');
  expect(code).toBe(0);
  for (const step of [
    'finetune',
    'merge',
    'evaluate',
    'classify',
    'sample',
    'generate',
    'verify',
    'refine',
    'select',
    'append',
    'report',
  ]) {
    expect(output).toMatch(new RegExp(`^  ${step} `, 'm'));
  }
  expect(output).toContain('Exit codes: 0 done, 1 failed, 2 wrong input, 130 interrupted.');
});

test('starting loads no library of native code', async () => {
  const program = new URL('../../cli/program.ts', import.meta.url);
  const script = `await import('${program}'); console.log(process.report.getReport().sharedObjects.join('\\n'));`;
  const input = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, input, { maxBuffer: 2 ** 26 });
  expect(stdout).toContain('libc');
  expect(stdout).not.toMatch(/sharp|vips|duckdb|tensorflow/i);
});

test('starting loads no client of a teacher', async () => {
  const program = new URL('../../cli/program.ts', import.meta.url);
  const failures = new URL('../../cli/failures.ts', import.meta.url);
  const script = `
    import { Session } from 'node:inspector';
    const session = new Session();
    const loaded = [];
    session.connect();
    session.on('Debugger.scriptParsed', ({ params }) => loaded.push(params.url));
    session.post('Debugger.enable');
    await import('${program}');
    await import('${failures}');
    console.log(loaded.join('\\n'));`;
  const input = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, input, { maxBuffer: 2 ** 26 });
  expect(stdout).toContain('node_modules/commander/');
  expect(stdout).not.toContain('node_modules/openai/');
});

test('a wrong config is one line and exit code 2', async () => {
  const { code, errors } = await dataengine('finetune', '--config', 'wrong.yaml');
  expect({ code, errors }).toEqual({ code: 2, errors: 'wrong.yaml:2: sead: no such key. Did you mean seed?\n' });
});

test('a missing config is one line and exit code 2', async () => {
  const { code, errors } = await dataengine('merge', '--config', 'nowhere.yaml', '--round', '1');
  expect({ code, errors }).toEqual({ code: 2, errors: 'nowhere.yaml: no such file. Check the path\n' });
});

test('the config that `init` writes is missing until then, and the error says so', async () => {
  const { code, errors } = await dataengine('run', '--local');
  const remedy =
    'Write it with `dataengine init FOLDER`, for a folder of images and questions; or name a config with --config';
  expect({ code, errors }).toEqual({ code: 2, errors: `dataengine.yaml: no such file. ${remedy}\n` });
});

test('the old name of an option leads to an error with the new name, exit code 2', async () => {
  const { code, errors } = await dataengine('evaluate', '--pictures', 'photos');
  expect(code).toBe(2);
  expect(errors).toContain("error: option '--pictures' was renamed to --images\n");
});

test.each([
  [['finetun'], "unknown command 'finetun'. Did you mean finetune?"],
  [['train', '--config', 'x.yaml'], "unknown command 'train'. Did you mean finetune?"],
  [['strat'], "unknown command 'strat'. Did you mean run?"],
  [['finetune', '--confg', 'x.yaml'], "unknown option '--confg'. Did you mean --config?"],
  [['zzzzzz'], "unknown command 'zzzzzz'"],
  [['prompt', 'zzzzzz'], "unknown command 'zzzzzz'. There are start, review"],
  [['data', 'chek'], "unknown command 'chek'. Did you mean check?"],
  [['run', '--wokflow-id', 'x'], "unknown option '--wokflow-id'. Did you mean --workflow-id?"],
  [['finetune'], "required option '--config <file>' not specified"],
])('the error of %j is the last line, with the nearest name, below the usage in one line', async (words, error) => {
  const { code, output, errors } = await dataengine(...words);
  expect({ code, output }).toEqual({ code: 2, output: '' });
  const lines = errors.trimEnd().split('\n');
  expect(lines.at(-1)).toBe(`error: ${error}`);
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^Usage: dataengine /);
});

test('temporal passes everything on to the Temporal CLI, its exit code back', async () => {
  const help = await dataengine('temporal', 'workflow', 'list', '--help');
  expect(help.code).toBe(0);
  expect(help.output).toContain('temporal workflow list');
  const wrong = await dataengine('temporal', 'workflow', 'lst');
  expect(wrong.code).toBeGreaterThan(0);
}, 60_000);

test('a wrong value of an option leads to an error with the allowed ones, exit code 2', async () => {
  const worker = await dataengine('worker', 'tpu');
  expect(worker.code).toBe(2);
  expect(worker.errors).toContain('Allowed choices are cpu, gpu, teacher, settings.');
  const silent = await dataengine('worker', 'gpu', '--heartbeat-seconds', '30');
  expect(silent.errors).toContain('Give a whole number of at most 10.');
  for (const value of ['one', '', '0x10']) {
    const round = await dataengine('sample', '--config', 'wrong.yaml', '--round', value);
    expect(round.errors, value).toContain('Give a whole number of at least 0.');
  }
});

test('a reader that stops early causes no error', async () => {
  const shell = `set -o pipefail; "${process.execPath}" "${launcher}" --help | true`;
  const code = await new Promise((resolve) => {
    execFile('bash', ['-c', shell], (error) => resolve(error?.code ?? 0));
  });
  expect(code).toBe(0);
});

test('completion offers commands and options, and prints its script', async () => {
  const script = await dataengine('completion', 'bash');
  expect(script.output).toContain('dataengine complete -- ');
  const { output } = await dataengine('complete', '--', 'compare', '--');
  expect(output).toMatch(/^--json\tone JSON value/m);
});

test('the help of every command has an example', () => {
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const program = createProgram(new AbortController().signal);
  const without = leaves(program).filter((command) => {
    if (['completion', 'complete'].includes(command.name())) return false;
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    return !/^Examples?:$/m.test(help);
  });
  expect(without.map((command) => command.name())).toEqual([]);
});

test('without a server, a worker reports where it looked', async () => {
  const [port] = await freePorts(1);
  vi.stubEnv('TEMPORAL_ADDRESS', `127.0.0.1:${port}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { code, errors } = await dataengine('worker', 'gpu');
  expect(code).toBe(1);
  expect(errors).toContain(`No Temporal server can be reached at 127.0.0.1:${port} (`);
  expect(errors).toContain('Start one with `dataengine temporal server start-dev`');
  expect(errors).not.toContain('    at ');
});
