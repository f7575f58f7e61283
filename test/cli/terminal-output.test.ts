/** What a person sees: commands in a real pseudo-terminal, at 80 and 120 columns, and in pipes. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeOwnFolder } from '../../demo/scenes/write-own-folder.ts';
import { projectFile } from '../../src/core/files.ts';
import { inTerminal } from '../helpers/pseudo-terminal.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from '../round/tiny-run.ts';

const launcher = projectFile('bin/dataengine.mjs');
const demo = (config: string) => [
  process.execPath,
  '--import',
  import.meta.resolve('tsx'),
  projectFile('test/cli/demo-in-a-terminal.ts'),
  config,
];

// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what is looked for.
const colors = /\u001b\[[0-9;]*m/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what is looked for.
const escapes = /\u001b/;
const forPrograms =
  /undefined|NaN|\[object|evaluateShard|embedShard|prepareRun|prepareData|recordRound|startGeneration|finishGeneration|askChunk|cpu_feature_guard|oneDNN|tensorflow\//;
const unrounded = /\d\.\d{4,}/;

const stepsOfRound = {
  0: ['prepare-data', 'finetune', 'merge', 'evaluate', 'classify', 'gate', 'report'],
  1: [
    ...['embed', 'sample', 'generate', 'refine', 'append'],
    ...['finetune', 'merge', 'evaluate', 'classify', 'gate', 'report'],
  ],
};

/** How often each step of a round has a closing line, which has its time. */
function closings(lines: readonly string[], round: 0 | 1): Record<string, number> {
  return Object.fromEntries(
    stepsOfRound[round].map((step) => [
      step,
      lines.filter((line) => new RegExp(`^round ${round} ${step} +(?:\\d+ min )?\\d+ s(?:  |$)`).test(line)).length,
    ]),
  );
}

const onceEach = (round: 0 | 1) => Object.fromEntries(stepsOfRound[round].map((step) => [step, 1]));

test('the demo at 80 columns: every step closes once, the tables fit, numbers are rounded, nothing is for programs', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({ ...tiny, rounds: 1 }));
  const { code, lines, broken } = await inTerminal(80, demo(config));
  expect(code).toBe(0);
  expect(closings(lines, 0)).toEqual(onceEach(0));
  expect(closings(lines, 1)).toEqual(onceEach(1));
  expect(lines.filter((line) => forPrograms.test(line.replaceAll(folder, '')))).toEqual([]);
  expect(lines.filter((line) => unrounded.test(line))).toEqual([]);
  // Only paths may be longer.
  expect(broken.filter((line) => !line.includes(folder))).toEqual([]);
  expect(lines.filter((line) => /^[┌│└]/.test(line)).length).toBeGreaterThan(8);
  expect(lines).toContain('Finished: 1 of 1 rounds');
  // Its workers start with it: nobody need start one.
  expect(lines.join('\n')).not.toContain('No worker');
}, 300_000);

test('the demo at 120 columns with NO_COLOR: the same without a color', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({ ...tiny, rounds: 0 }));
  const { code, raw, lines, broken } = await inTerminal(120, demo(config), { NO_COLOR: '1' });
  expect(code).toBe(0);
  expect(closings(lines, 0)).toEqual(onceEach(0));
  expect(broken.filter((line) => !line.includes(folder))).toEqual([]);
  expect(lines).toContain('Finished: round 0');
  expect(raw).not.toMatch(colors);
}, 300_000);

const commands = [
  ['doctor'],
  ['--help'],
  ['finetun'],
  ['power', '--difference', '2', '--disagreement', '15'],
  ['model', 'plan', 'configs/reference/7b-qma-base.yaml', '--gpu', 'rtx-4090'],
  ['completion', 'bash'],
];

test.each(commands)(
  'in a pipe `%s %s` has no escape sequence, also where CI is set',
  (...words) => {
    const { stdout, stderr } = spawnSync(process.execPath, [launcher, ...words], {
      encoding: 'utf8',
      env: { ...process.env, CI: '1', NO_COLOR: undefined, FORCE_COLOR: undefined },
    });
    expect(stdout + stderr).not.toBe('');
    expect(stdout + stderr).not.toMatch(escapes);
  },
  60_000,
);

test.each(commands)(
  'in a terminal with NO_COLOR `%s %s` has no color',
  async (...words) => {
    const { raw } = await inTerminal(80, [process.execPath, launcher, ...words], { NO_COLOR: '1' });
    expect(raw).not.toBe('');
    expect(raw).not.toMatch(colors);
  },
  60_000,
);

test('an unknown command in a terminal of 80 columns is three lines, none of them broken, the error last', async () => {
  const { code, lines, broken } = await inTerminal(80, [process.execPath, launcher, 'finetun']);
  expect(code).toBe(2);
  const shown = lines.filter((line) => line !== '');
  expect(shown).toHaveLength(3);
  expect(shown.at(-1)).toBe("error: unknown command 'finetun'. Did you mean finetune?");
  expect(broken).toEqual([]);
}, 60_000);

test('errors and tables of problems in a terminal of 80 columns break between words, paths aside', async () => {
  const folder = await temporaryFolder();
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    model: { path: join(folder, 'no-model') },
    teacher: { ...tiny.teacher, provider: 'openai', model: 'gpt-4o', baseUrl: 'http://127.0.0.1:9/v1', budget: 'none' },
  }));
  for (const words of [
    ['data', 'check', config],
    ['finetune', '--config', config],
    ['generate', '--config', config, '--round', '1'],
  ]) {
    const { code, lines, broken } = await inTerminal(80, [process.execPath, launcher, ...words]);
    expect(code, lines.join('\n')).toBe(2);
    expect(broken.filter((line) => !line.includes(folder))).toEqual([]);
    expect(lines.join('\n')).not.toMatch(/^ +at /m);
  }
}, 120_000);

test.each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
])(
  '%s at a question of `init` leaves without a stack and without a file',
  async (_, typed) => {
    const folder = await temporaryFolder();
    const photos = join(folder, 'photos');
    await writeOwnFolder({ folder: photos, images: 20, seed: 1 });
    const output = join(folder, 'own.yaml');
    const words = ['init', photos, '--teacher', 'local', '--output', output];
    const { code, lines } = await inTerminal(80, [process.execPath, launcher, ...words], {}, typed);
    expect(lines.join('\n')).toMatch(/^Model .*: *\n+Nothing was written\.\n*$/);
    expect(code).toBe(130);
    expect(existsSync(output)).toBe(false);
  },
  60_000,
);

test('a terminal gets colors', async () => {
  const words = ['power', '--difference', '2', '--disagreement', '15'];
  expect((await inTerminal(80, [process.execPath, launcher, ...words])).raw).toMatch(colors);
}, 60_000);
