import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../../src/core/input-error.ts';
import { parseJson, readJson, readJsonLines } from '../../src/core/read-json.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const questions = z.array(z.object({ question: z.string(), correct_choice_idx: z.number().int() }));

const failureOf = (text: string) => {
  try {
    parseJson(text, 'val.json', questions);
  } catch (error) {
    return error as InputError;
  }
  throw new Error('It was accepted');
};

describe('readJson', () => {
  it("returns the file's value", async () => {
    const file = join(await temporaryFolder(), 'val.json');
    await writeFile(file, '[{"question":"Why?","correct_choice_idx":2,"more":true}]');
    expect(await readJson(file, questions)).toEqual([{ question: 'Why?', correct_choice_idx: 2 }]);
  });

  it.each(['json', 'jsonl'])('takes a byte order mark at the start of a .%s for no part of the file', async (kind) => {
    const file = join(await temporaryFolder(), `val.${kind}`);
    const record = { question: 'Why?', correct_choice_idx: 2 };
    await writeFile(file, `\ufeff${JSON.stringify(kind === 'json' ? [record] : record)}\n`);
    const read = kind === 'json' ? readJson(file, questions) : readJsonLines(file, questions.element);
    expect(await read).toEqual([record]);
  });

  it('names a missing file', async () => {
    const file = join(await temporaryFolder(), 'val.json');
    await expect(readJson(file, questions)).rejects.toThrow(
      new InputError({ file, problem: 'no such file', remedy: 'Check the path' }),
    );
  });

  it('reports that the path is a folder', async () => {
    const folder = await temporaryFolder();
    await expect(readJson(folder, questions)).rejects.toThrow(`${folder}: is a folder`);
  });
});

describe('parseJson', () => {
  it.each([
    ['a value that is missing', '[\n  {"question": }]', 2, 16],
    ['a file cut short', '[\n{"question":"Why?",\n"correct', 3, 1],
    ['a comma too many', '[1,\n2,]', 2, 3],
    ['two values', '[]\n[]', 2, 1],
    ['text that is not JSON', '<html>', 1, 1],
    ['an empty file', '', 1, 1],
  ])('gives line and column of %s', (_, text, line, column) => {
    expect(failureOf(text)).toMatchObject({ name: 'InputError', file: 'val.json', line, column });
  });

  it('reports that a truncated file ends too early', () => {
    expect(failureOf('[{"question":"Why?",\n').message).toMatch(
      /^val\.json:2:1: is not valid JSON: it ends too early\./,
    );
  });

  it('gives the path of a value that does not fit', () => {
    const text = JSON.stringify([
      { question: 'Why?', correct_choice_idx: 1 },
      { question: 'Who?', correct_choice_idx: '1' },
    ]);
    expect(failureOf(text).message).toBe(
      'val.json: [1].correct_choice_idx: must be a number, not a text. Correct this value',
    );
  });

  it('counts further problems', () => {
    expect(failureOf('[{},{}]').message).toContain('[0].question: is missing (and 3 more)');
  });
});

describe('readJsonLines', () => {
  const answer = z.object({ id: z.number() });
  const write = async (text: string) => {
    const file = join(await temporaryFolder(), 'answers.jsonl');
    await writeFile(file, text);
    return file;
  };

  it('reads one value a line and skips empty lines', async () => {
    expect(await readJsonLines(await write('{"id":1}\n\n{"id":2}\n'), answer)).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('names the line of a value that is broken or does not fit', async () => {
    await expect(readJsonLines(await write('{"id":1}\n{"id":\n'), answer)).rejects.toMatchObject({ line: 2 });
    await expect(readJsonLines(await write('{"id":1}\n{"id":"2"}\n'), answer)).rejects.toMatchObject({
      line: 2,
      field: 'id',
    });
  });

  it('skips a truncated last line only with the option for it', async () => {
    const file = await write('{"id":1}\n{"id":2');
    expect(await readJsonLines(file, answer, { tolerateTruncatedLastLine: true })).toEqual([{ id: 1 }]);
    await expect(readJsonLines(file, answer)).rejects.toThrow(InputError);
  });

  it('keeps a complete last line that only lacks its line break', async () => {
    expect(await readJsonLines(await write('{"id":1}'), answer, { tolerateTruncatedLastLine: true })).toEqual([
      { id: 1 },
    ]);
  });

  it('never skips a broken line in the middle', async () => {
    const file = await write('{"id":1\n{"id":2}\n');
    await expect(readJsonLines(file, answer, { tolerateTruncatedLastLine: true })).rejects.toMatchObject({ line: 1 });
  });
});
