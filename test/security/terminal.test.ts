/**
 * Texts from outside (answers of a teacher, questions, file names, errors) give no orders to a terminal, to a page of the
 * Temporal UI, or to a chat.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { formatRounds } from '../../cli/rounds-table.ts';
import { formatScores } from '../../cli/scores-table.ts';
import { textTable, usesColor } from '../../cli/text-table.ts';
import { projectFile } from '../../src/core/files.ts';
import { guardTerminal, printable, printableTexts } from '../../src/core/printable.ts';
import { describeRounds, describeStanding, describeSteps } from '../../workflows/details.ts';
import type { RoundSummary, RunPlan } from '../../workflows/inputs.ts';
import { codeBlock, codeSpan, plainText } from '../../workflows/markdown.ts';
import type { DataEngineProgress } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

/** Each fills the clipboard, renames the window, overwrites a line, or hides what follows. */
const attacks = {
  'OSC 52, ended by BEL': '\u001b]52;c;cm0gLXJm\u0007',
  'OSC 52, ended by ST': '\u001b]52;c;cm0gLXJm\u001b\\',
  'OSC 52 in C1': '\u009d52;c;cm0gLXJm\u009c',
  'OSC 52 without an end': '\u001b]52;c;cm0gLXJm',
  'a title': '\u001b]0;title\u0007',
  'a device control string': '\u001bP$q"p\u001b\\',
  'an application command': '\u001b_Gf=100;AAAA\u001b\\',
  'a cursor move': '\u001b[2A\u001b[2K',
  'a cursor move in C1': '\u009b2A',
  'a bell and backspaces': '\u0007\b\b\b',
  'a carriage return': '\rharmless',
  'a turned direction': '\u202egnp.exe',
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
const orders = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

describe.each(Object.entries(attacks))('%s', (_, attack) => {
  const text = `before${attack}after`;

  test('is no part of a printable text, which keeps what is around it', () => {
    expect(printable(text)).not.toMatch(orders);
    expect(printable(text)).toMatch(/^before/);
    expect(printableTexts({ [text]: [text, 1, { deep: text }] })).not.toMatchObject({ [text]: expect.anything() });
    expect(JSON.stringify(printableTexts([text, { deep: text }]))).not.toContain('\\u');
  });

  test('is in no table', () => {
    expect(textTable(['a', text], [[text, 1]], { color: false })).not.toMatch(orders);
    expect(textTable(['a'], [[text]], { color: false, columns: 20 })).not.toMatch(orders);
    const measure = { value: 1, low: 1, high: 1, count: 1, groups: {} };
    const scores = {
      title: text,
      blind: false,
      questions: 1,
      unanswered: 0,
      weights: 'w',
      measures: { [text]: measure },
    };
    expect(formatScores(scores as never)).not.toMatch(orders);
    const round = { round: 0, teacherTokens: { prompt: 0, completion: 0 }, seconds: {}, errorByType: { [text]: 1 } };
    expect(formatRounds([round as unknown as RoundSummary], { color: false })).not.toMatch(orders);
  });

  test('is in no current details of a workflow', () => {
    const plan = { run: text, directory: text, rounds: 2 } as RunPlan;
    const shown = [
      describeRounds({ plan, nextRound: 1, rounds: [] }),
      describeSteps(1, [{ name: 'sample', state: 'failed', note: text }]),
      describeStanding({ paused: { reason: text }, waiting: { step: 'sample', problem: text } } as DataEngineProgress),
    ];
    for (const one of shown) expect(one).not.toMatch(orders);
  });
});

describe('the streams of the command line', () => {
  function guarded(): { write: (text: string) => void; received: () => string } {
    let received = '';
    const stream = new Writable({
      write(chunk, _encoding, done) {
        received += String(chunk);
        done();
      },
    });
    guardTerminal(stream as unknown as NodeJS.WriteStream);
    return { write: (text) => void stream.write(text), received: () => received };
  }

  test('pass on colors and the moves of displays, and no other order, however it got there', () => {
    const own = '\u001b[1mbold\u001b[22m \u001b[38;2;254;0;0m▀\u001b[0m\u001b[2K\u001b[1A\u001b[G\u001b[?25l\r\tä\n';
    const { write, received } = guarded();
    write(own);
    for (const name of ['OSC 52, ended by BEL', 'OSC 52, ended by ST', 'OSC 52 in C1', 'a title'] as const)
      write(`x${attacks[name]}y`);
    write('half of one \u001b');
    write(']52;c;eA==\u0007');
    expect(received()).toBe(`${own}xyxyxyxyhalf of one ]52;c;eA==`);
  });

  test('an error about a file with such a name has none', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, `a${attacks['OSC 52, ended by BEL']}b.yaml`);
    await writeFile(file, 'model: { path: x }\nrun: "\u001b[2Jx"\n');
    const run = promisify(execFile)('node', [projectFile('bin/dataengine.mjs'), 'data', 'check', file]);
    const { stderr } = await run.catch((error: { stderr: string }) => error);
    expect(stderr).toContain('ab.yaml');
    expect(stderr).not.toMatch(orders);
  });

  test('are guarded before anything is written', async () => {
    const main = await readFile(projectFile('cli/main.ts'), 'utf8');
    expect(main.indexOf('guardTerminal(process.stdout)')).toBeLessThan(main.indexOf('createProgram('));
    expect(main).toContain('guardTerminal(process.stderr)');
  });
});

test('bugs/16-small: a table has no color with NO_COLOR, or where no terminal reads it', () => {
  expect(usesColor({ isTTY: false })).toBe(false);
  vi.stubEnv('NO_COLOR', '1');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(usesColor({ isTTY: true })).toBe(false);
  expect(textTable(['a'], [['b']])).not.toMatch(orders);
});

describe('Markdown', () => {
  test('of a text from outside shows as text', () => {
    expect(plainText('![x](http://evil/?q) <img src=x> `code` | cell\n# head')).toBe(
      '!\\[x\\](http://evil/?q) \\<img src=x\\> \\`code\\` \\| cell # head',
    );
    expect(codeSpan('a`b|c\nd')).toBe("`a'b\\|c d`");
    expect(codeBlock('diff', '+ x\n```\n[link](http://evil)\n````')).toMatch(/^`````diff\n[\s\S]*\n`````$/);
  });

  test('the rows of a table stay as many as the steps', () => {
    const steps = [{ name: 'sample', state: 'done', note: 'a | b\n| c | d |' }] as Parameters<typeof describeSteps>[1];
    expect(describeSteps(1, steps).split('\n')).toHaveLength(5);
  });
});
