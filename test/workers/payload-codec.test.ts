import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApplicationFailure, type DataConverter, defaultPayloadConverter, type Payload } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { usualWorkerSettings } from '../../src/core/worker-settings.ts';
import { createCpuWorker, type WorkerPlace } from '../../workers/create-worker.ts';
import { failureConverter } from '../../workers/encrypted-converters.cjs';
import { loadPayloadKeys, parsePayloadKeys, payloadCodec, payloadConverterOf } from '../../workers/payload-codec.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const line = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const [old, current] = [line('2025'), line('2026')];
const codecOf = (text: string) => payloadCodec(parsePayloadKeys(text, 'keys'));
const plain = defaultPayloadConverter.toPayload({ comment: 'a secret comment' }) as Payload;
const bytes = (payload?: Payload) => Buffer.from(payload?.data ?? []);

test('the first key encrypts, all decrypt, and plain payloads stay plain', async () => {
  const [before] = await codecOf(old).encode([plain]);
  const rotated = codecOf(`${current},${old}`);
  const [after, same] = await rotated.encode([plain, plain]);
  expect(bytes(after).includes('secret')).toBe(false);
  expect(bytes(after).equals(bytes(same))).toBe(false);
  const decoded = await rotated.decode([before, after, plain] as Payload[]);
  expect(decoded.map((one) => defaultPayloadConverter.fromPayload(one))).toEqual(
    Array(3).fill({ comment: 'a secret comment' }),
  );
  await expect(codecOf(old).decode([after as Payload])).rejects.toMatchObject({
    type: 'UnknownPayloadKey',
    message: expect.stringMatching(/encrypted with the key "2026", which is unknown \(known here: 2025\)/),
  });
  await expect(payloadCodec(new Map()).decode([after as Payload])).rejects.toThrow('there is no key here');
});

test('a payload that was changed is an error that is not retried, whatever was changed', async () => {
  const codec = codecOf(`${current},${old}`);
  const [encrypted] = (await codec.encode([plain])) as [Payload];
  const { length } = bytes(encrypted);
  const changed = [0, 12, length - 1].map((position) => {
    const data = bytes(encrypted);
    data[position] = (data[position] as number) ^ 1;
    return { ...encrypted, data };
  });
  const cut = [0, 5, 27, length - 1].map((end) => ({ ...encrypted, data: bytes(encrypted).subarray(0, end) }));
  const otherKey = { ...encrypted, metadata: { ...encrypted.metadata, 'encryption-key-id': Buffer.from('2025') } };
  for (const payload of [...changed, ...cut, otherKey]) {
    const error = await codec.decode([payload]).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(ApplicationFailure);
    expect(error).toMatchObject({ type: 'InputError', nonRetryable: true, message: /was changed/ });
  }
});

describe('keys', () => {
  test.each([
    ['', /holds no key/],
    ['2026', /key 1 is not an id and 32 bytes/],
    [`${current},2027:c2hvcnQtbWFya2Vy`, /key 2 is not/],
    [`${current},${current}`, /two keys have the id 2026/],
    [`a b:${current}`, /key 1 is not/],
  ])('that are wrong are named, and not quoted', (text, problem) => {
    const fail = () => parsePayloadKeys(text, 'keys');
    expect(fail).toThrow(problem);
    expect(fail).not.toThrow(/marker|=/);
  });

  test('come from a variable or from a file, one a line, not from both', async () => {
    const file = join(await temporaryFolder(), 'keys');
    await writeFile(file, `${current}\n${old}\n`);
    expect([...(await loadPayloadKeys(undefined, { DATAENGINE_PAYLOAD_KEY: old })).keys()]).toEqual(['2025']);
    expect([...(await loadPayloadKeys(undefined, { DATAENGINE_PAYLOAD_KEY_FILE: file })).keys()]).toEqual([
      '2026',
      '2025',
    ]);
    expect((await loadPayloadKeys(undefined, {})).size).toBe(0);
    await expect(loadPayloadKeys(file, { DATAENGINE_PAYLOAD_KEY: old })).rejects.toThrow('Give the keys in one place');
  });
});

test('an error that is converted twice, and its causes, keep their messages, in payloads alone', () => {
  const cause = new Error('the cause at /data/secret');
  const first = failureConverter.errorToFailure(new Error('the message', { cause }), defaultPayloadConverter);
  expect(
    JSON.stringify({ ...first, encodedAttributes: 0, cause: { ...first.cause, encodedAttributes: 0 } }),
  ).not.toMatch(/message"?:"the|secret/);
  const error = failureConverter.failureToError(first, defaultPayloadConverter);
  for (let time = 0; time < 2; time += 1) {
    const again = failureConverter.errorToFailure(error, defaultPayloadConverter);
    expect(failureConverter.failureToError(again, defaultPayloadConverter)).toMatchObject({
      message: 'the message',
      cause: { message: 'the cause at /data/secret' },
    });
  }
});

test('`npm run bundle` makes a bundle for workers with a key too, and each takes its own', async () => {
  const folder = await temporaryFolder();
  const bundle = join(folder, 'bundle.js');
  const run = ['--import', 'tsx', 'scripts/bundle-workflows.ts', bundle];
  await promisify(execFile)(process.execPath, run, { env: { ...process.env, DATAENGINE_PAYLOAD_KEY: current } });
  const encrypted = join(folder, 'bundle.encrypted.js');
  const code = await readFile(encrypted, 'utf8');
  for (const word of ['aes-256-gcm', 'createDecipheriv', current]) expect(code.includes(word), word).toBe(false);
  const settings = { ...usualWorkerSettings(), runs: ['/nowhere/runs'], cache: '/nowhere/cache' };
  const start = (workflowBundle: string, dataConverter?: DataConverter) =>
    createCpuWorker({ dataConverter } as WorkerPlace, { taskQueue: 'q', workflowBundle }, { settings });
  await expect(start(encrypted)).rejects.toThrow(
    /encrypted\.js: was made for workers with a payload key\. Name the first/,
  );
  const converter = payloadConverterOf(parsePayloadKeys(current, 'keys'));
  await expect(start(encrypted, converter)).rejects.toThrow(/encrypted\.encrypted\.js: .*can't be read \(ENOENT\)/);
  for (const ending of ['', '.sha256']) await copyFile(`${bundle}${ending}`, `${encrypted}${ending}`);
  await expect(start(bundle, converter)).rejects.toThrow(/encrypted\.js: was made for workers without a payload key/);
}, 120_000);
