/**
 * Files that would hold a process for good, fill its memory or end it: refused before they are read, or soon after.
 */
import { execFileSync } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { toActivityFailure } from '../../activities/errors.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { hashFile } from '../../src/core/hash.ts';
import { InputError } from '../../src/core/input-error.ts';
import { parsePlainYaml } from '../../src/core/plain-yaml.ts';
import { hashInputFile, parseJson, readJson, readJsonLines, readSettings } from '../../src/core/read-json.ts';
import { loadWorkerSettings, workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { readLayout } from '../../src/datasets/known-layouts.ts';
import { RecordScanner } from '../../src/datasets/record-scanner.ts';
import { streamRecords } from '../../src/datasets/stream-records.ts';
import { checkMmbench } from '../../src/evaluation/benchmarks/mmbench-file.ts';
import { readQuestionTypes } from '../../src/generation/question-types.ts';
import { readPrice } from '../../src/teacher/prices.ts';
import { parsePromptTemplate, readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const megabyte = 1024 * 1024;
const anything = z.unknown();

async function file(content: string): Promise<string> {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, content);
  return path;
}

/** Takes no space on the disk. */
async function fileOfSize(bytes: number): Promise<string> {
  const path = await file('');
  await truncate(path, bytes);
  return path;
}

async function pipe(): Promise<string> {
  const path = join(await temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [path]);
  return path;
}

function yamlError(text: string): InputError {
  try {
    parsePlainYaml(text, 'a.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return error as InputError;
  }
  throw new Error('It was accepted');
}

async function allRecords(path: string): Promise<void> {
  for await (const _ of streamRecords(path, { images: anything }));
}

const settingsFrom = (path: string) => loadWorkerSettings({ [workerSettingsVariable]: path });

const readers: [string, (path: string) => Promise<unknown>][] = [
  ['a config', (path) => loadConfig(path)],
  ['the settings of a worker', settingsFrom],
  ['question types', readQuestionTypes],
  ['prices', (path) => readPrice(path, 'model', 'online')],
  ['a prompt', readPromptTemplate],
  ['JSON', (path) => readJson(path, anything)],
  ['JSON of settings', (path) => readSettings(path, anything)],
  ['JSON lines', (path) => readJsonLines(path, anything)],
  ['a dataset', (path) => readLayout(path, 'a layout', anything)],
  ['annotations', allRecords],
  ['MMBench', (path) => checkMmbench(path)],
];
const hashes: typeof readers = [
  ['the hash of an input', hashInputFile],
  ['the hash of a file', hashFile],
];

describe.each([...readers, ...hashes])('what reads %s', (_, read) => {
  test('waits for no pipe and for no device', async () => {
    for (const path of [await pipe(), '/dev/zero']) {
      await expect(read(path)).rejects.toThrow(InputError);
    }
  });
});

describe('a file that is too large', () => {
  test.each(readers.filter(([name]) => !['annotations', 'MMBench'].includes(name)))(
    'is not read as %s',
    async (_, read) => {
      await expect(read(await fileOfSize(2 ** 40))).rejects.toThrow(
        /has 1099511627776 bytes, and such a file may have \d+/,
      );
    },
  );

  test('is one of settings long before it is one of data', async () => {
    const path = await fileOfSize(17 * megabyte);
    for (const read of [
      settingsFrom,
      (one: string) => readSettings(one, anything),
      readQuestionTypes,
      readPromptTemplate,
    ]) {
      await expect(read(path)).rejects.toThrow('has 17825792 bytes');
    }
    await expect(readJson(path, anything)).rejects.toThrow('is not valid JSON');
  });
});

describe('JSON that is nested deeply', () => {
  test.each([
    ['200 KB of brackets', '['.repeat(200_000)],
    ['objects without end', '{"a":'.repeat(100_000)],
    ['a whole value', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('is refused: %s', (_, text) => {
    expect(() => parseJson(text, 'a.json', anything)).toThrow(/^a\.json:1:\d+: is nested deeper than 200 levels\./);
  });

  test('is not read behind an error that turns a text into brackets', () => {
    for (const piece of ['[', '{a:']) {
      const text = `{"a: 0,\n ${piece.repeat(20_000)}": 1}`;
      expect(() => parseJson(text, 'a.json', anything)).toThrow(/^a\.json:1:\d+: is not valid JSON: /);
    }
  });

  test('is not what only looks so', () => {
    const text = JSON.stringify([...Array(300).fill([]), '['.repeat(300), '\\"'.repeat(300)]);
    expect(parseJson(text, 'a.json', anything)).toEqual(JSON.parse(text));
  });

  test('is refused in a record of a long file, and skipped outside of records', async () => {
    const deep = `${'['.repeat(1000)}${']'.repeat(1000)}`;
    await expect(allRecords(await file(`{"images": [${deep}]}`))).rejects.toThrow('nested deeper than 200 levels');
    await allRecords(await file(`{"more": ${deep}, "images": []}`));
  });
});

test('a string that does not end is refused within 64 MB of it, in a skipped value too', () => {
  for (const key of ['images', 'more']) {
    const scanner = new RecordScanner(['images']);
    scanner.push(Buffer.from(`{"${key}": ["`));
    const piece = Buffer.alloc(megabyte, 'a');
    const pushAll = () => {
      for (let pushed = 0; pushed < 70; pushed += 1) scanner.push(piece);
    };
    expect(pushAll).toThrow('the value that starts here does not end within 67108864 bytes');
  }
});

describe('YAML', () => {
  test.each([
    ['200 KB of brackets', '['.repeat(200_000)],
    ['lists within lists', '- '.repeat(100_000)],
    ['keys within keys', '? '.repeat(100_000)],
    ['maps within maps', '{a: '.repeat(50_000)],
  ])('that is nested deeply is refused: %s', (_, text) => {
    expect(yamlError(text).message).toMatch(/^a\.yaml:1:\d+: is nested deeper than 100 levels\./);
  });

  test.each([
    ['keys', Array.from({ length: 300_000 }, (_, index) => `k${index}: 1`).join('\n')],
    ['keys on a line', `{${Array.from({ length: 300_000 }, (_, index) => `k${index}`).join(',')}}`],
    ['items', '- a\n'.repeat(300_000)],
    ['errors', '} '.repeat(300_000)],
    ['comments', '#\n'.repeat(300_000)],
  ])('with 300,000 %s is refused', (_, text) => {
    expect(yamlError(text).problem).toBe('has too many keys and values');
  });

  test('with a key twice is refused at the second one', () => {
    const keys = Array.from({ length: 10_000 }, (_, index) => `k${index}: 1`);
    const text = `${keys.join('\n')}\n`;
    expect(Object.keys(parsePlainYaml(text, 'a.yaml').value as object)).toHaveLength(10_000);
    const { line, problem } = yamlError(`${text}k7: 2\n`);
    expect([line, problem]).toEqual([10_001, 'is not valid YAML: Map keys must be unique']);
  });

  test('whose aliases nest deeply, hold themselves or are of nothing is refused', () => {
    const chain = ['- &a0 [x]', ...Array.from({ length: 150 }, (_, index) => `- &a${index + 1} [*a${index}]`)];
    expect(yamlError(chain.join('\n')).problem).toMatch('is nested deeper than 100 levels');
    expect(yamlError('a: &a [*a]').problem).toBe('an alias (*name) is of nothing before it');
    expect(yamlError('a: *secret').message).not.toContain('secret');
    expect(parsePlainYaml('a: &a [1]\nb: *a\n', 'a.yaml').value).toEqual({ a: [1], b: [1] });
  });

  test.each([
    '[default]\nkey = s3cret\n',
    's3cret: "\\q"',
    '%s3cret\n---\na',
    'a: !s3cret b',
    'a: |s3cret\n b',
    '{a: b}} s3cret',
  ])('that is wrong is not quoted: %s', (text) => {
    expect(yamlError(text).message).not.toContain('s3cret');
  });
});

describe('a text that an expression would search for long', () => {
  test('is a config with many variables that do not end', async () => {
    const path = await file(`run: "${'${A:-'.repeat(150_000)}"\n`);
    await expect(loadConfig(path)).rejects.toThrow(InputError);
  });

  test('is a prompt with many beginnings', () => {
    expect(() => parsePromptTemplate(`---\na\n---\n# System\n${'\n---\n# System\n'.repeat(60_000)}`, 'a.md')).toThrow(
      'a.md: is not a prompt',
    );
  });
});

test('a message has a bounded length, whatever it names', async () => {
  const keys = Array.from({ length: 10_000 }, (_, index) => `key-${index}: 1`).join('\n');
  const failure = await settingsFrom(await file(keys)).catch((error: InputError) => error);
  expect(failure).toMatchObject({ problem: expect.stringMatching(/"key-2" and 9997 more$/) });
  await expect(loadConfig(await file(`${'k'.repeat(100_000)}: 1`))).rejects.toSatisfy(
    ({ message }: Error) => message.length < 4000,
  );
});

test('a failure that goes to the server is bounded too, with its causes', async () => {
  const wrong = await file(JSON.stringify(Array(100_000).fill({ image: 1 })));
  const schema = z.array(z.object({ image: z.string() }));
  const failures = await Promise.all(
    [() => readJson(wrong, schema), () => readLayout(wrong, 'a layout', schema)].map((read) =>
      read().catch((error: unknown) =>
        defaultFailureConverter.errorToFailure(toActivityFailure(error), defaultPayloadConverter),
      ),
    ),
  );
  for (const failure of failures) expect(JSON.stringify(failure).length).toBeLessThan(20_000);
});

test('a file that is not JSON is not quoted, in causes neither', () => {
  try {
    parseJson('s3cret', 'a.json', anything);
  } catch (error) {
    const { message, cause } = error as Error;
    expect([message, String(cause)].join()).not.toContain('s3cret');
  }
  expect.assertions(1);
});
