/**
 * A key is used, and is found nowhere afterwards.
 */
import { symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { toActivityFailure } from '../../activities/errors.ts';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { InputError } from '../../src/core/input-error.ts';
import { withoutSecrets } from '../../src/core/without-secrets.ts';
import { generate } from '../../src/round/generate/generate.ts';
import { runningTeacher } from '../demo/local-teacher/running-teacher.ts';
import { filesWith } from '../helpers/files-with.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const key = 'sk-marker-0123456789abcdef';

beforeEach(() => {
  process.env.DATAENGINE_TEST_KEY = key;
});
afterEach(() => {
  delete process.env.DATAENGINE_TEST_KEY;
});

const openai = (baseUrl: string) => ({ provider: 'openai', baseUrl, apiKeyVariable: 'DATAENGINE_TEST_KEY' });

/** Says the key that it was sent again, as some proxies do. */
async function echoingServer(sent: string[]): Promise<string> {
  const server = createServer((request, response) => {
    sent.push(request.headers.authorization ?? '');
    const message = `Incorrect API key provided: ${request.headers.authorization}`;
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message, type: 'invalid_request_error', code: 'invalid_api_key' } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

test('a generation writes it to no file of the run: config, manifests, answers, ledger', async () => {
  const { teacher } = await runningTeacher({ mistakeRate: 0 });
  const folder = await temporaryFolder();
  const context = await writeGenerationRun(folder, 4, openai(teacher.baseUrl));
  expect(await generate(context)).toMatchObject({ answers: 4 });
  expect(await filesWith(folder, 'DATAENGINE_TEST_KEY')).not.toEqual([]);
  expect(await filesWith(folder, key)).toEqual([]);
});

test('an answer that repeats it puts it into no error, history or file', async () => {
  const folder = await temporaryFolder();
  const sent: string[] = [];
  const context = await writeGenerationRun(folder, 2, openai(await echoingServer(sent)));
  const error = await generate(context).catch((failure: unknown) => failure);
  expect(sent[0]).toBe(`Bearer ${key}`);
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message).toContain('[DATAENGINE_TEST_KEY]');
  expect(inspect(error, { depth: 10 })).not.toContain(key);
  const failure = defaultFailureConverter.errorToFailure(toActivityFailure(error), defaultPayloadConverter);
  expect(JSON.stringify(failure)).not.toContain(key);
  expect(await filesWith(folder, key)).toEqual([]);
});

test('one in a variable whose name says nothing of a secret is kept out of errors too', async () => {
  process.env.DATAENGINE_TEST_HEADER = key;
  onTestFinished(() => void delete process.env.DATAENGINE_TEST_HEADER);
  delete process.env.DATAENGINE_TEST_KEY;
  const server = { ...openai(await echoingServer([])), apiKeyVariable: 'DATAENGINE_TEST_HEADER' };
  const context = await writeGenerationRun(await temporaryFolder(), 2, server);
  const error = await generate(context).catch((failure: unknown) => failure);
  expect((error as Error).message).toContain('[DATAENGINE_TEST_HEADER]');
  expect(inspect(error)).not.toContain(key);
});

test('one from a file is read again for each piece of work, and an answer that repeats it puts it nowhere', async () => {
  const folder = await temporaryFolder();
  const apiKeyFile = join(await temporaryFolder(), 'key');
  const sent: string[] = [];
  const teacher = { ...openai(await echoingServer(sent)), apiKeyFile };
  const context = await writeGenerationRun(folder, 2, teacher);
  for (const fileKey of ['sk-marker-of-monday-0123', 'sk-marker-of-tuesday-0123']) {
    await writeFile(apiKeyFile, `${fileKey}\n`);
    const error = await generate(context).catch((failure: unknown) => failure);
    expect(sent.at(-1)).toBe(`Bearer ${fileKey}`);
    expect((error as Error).message).toContain('[teacher.apiKeyFile]');
    expect(inspect(error, { depth: 10 })).not.toContain(fileKey);
    expect(await filesWith(folder, fileKey)).toEqual([]);
  }
});

test.each([
  ['is not there', undefined, /ENOENT/],
  ['is empty', '\n', /is empty/],
  ['holds other things too', 'sk-marker-first-0123\nsk-marker-second-0123\n', /more than one word/],
  ['is longer than any key', 'sk-marker'.repeat(10_000), /longer than any key/],
  ['never ends', '/dev/zero', /not a regular file/],
])('a file that %s is named, and not quoted', async (_, content, problem) => {
  const apiKeyFile = join(await temporaryFolder(), 'key');
  if (content === '/dev/zero') await symlink(content, apiKeyFile);
  else if (content !== undefined) await writeFile(apiKeyFile, content);
  const context = await writeGenerationRun(await temporaryFolder(), 2, {
    ...openai('http://127.0.0.1:1/v1'),
    apiKeyFile,
  });
  const error = await generate(context).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(InputError);
  expect((error as Error).message).toMatch(problem);
  expect((error as Error).message).toContain(`${apiKeyFile}: teacher.apiKeyFile: `);
  expect(inspect(error, { depth: 10 })).not.toContain('sk-marker');
});

test('only secrets of some length are removed, by their names', () => {
  const environment = { API_KEY: 'abcdefgh', SHORT_TOKEN: 'abc', HOME: '/home/abcdefgh' };
  expect(withoutSecrets('abcdefgh abc /home', environment)).toBe('[API_KEY] abc /home');
});
