/**
 * A key is used, and is found nowhere afterwards.
 */
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { defaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { toActivityFailure } from '../../activities/errors.ts';
import { generate } from '../../steps/generate.ts';
import { withoutSecrets } from '../../store/without-secrets.ts';
import { runningTeacher } from '../generation/local-teacher/running-teacher.ts';
import { writeGenerationRun } from '../helpers/generation-run.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const key = 'sk-marker-0123456789abcdef';

beforeEach(() => {
  process.env.DATAENGINE_TEST_KEY = key;
});
afterEach(() => {
  delete process.env.DATAENGINE_TEST_KEY;
});

async function filesWith(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found: string[] = [];
  for (const file of files) if ((await readFile(file)).includes(text)) found.push(file);
  return found;
}

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

test('a generation leaves it in no file of the run: config, manifests, answers, ledger', async () => {
  const { teacher } = await runningTeacher({ mistakeRate: 0 });
  const folder = await temporaryFolder();
  const context = await writeGenerationRun(folder, 4, openai(teacher.baseUrl));
  expect(await generate(context)).toMatchObject({ answers: 4 });
  expect(await filesWith(folder, 'DATAENGINE_TEST_KEY')).not.toEqual([]);
  expect(await filesWith(folder, key)).toEqual([]);
});

test('a server that says it again puts it into no error, history or file', async () => {
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

test('only secrets of some length are taken out, by their names', () => {
  const environment = { API_KEY: 'abcdefgh', SHORT_TOKEN: 'abc', HOME: '/home/abcdefgh' };
  expect(withoutSecrets('abcdefgh abc /home', environment)).toBe('[API_KEY] abc /home');
});
