import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ImageId } from '../../src/core/images/image-id.ts';
import { buildMessages } from '../../src/generation/prompt.ts';
import { readQuestionTypes } from '../../src/generation/question-types.ts';
import type { GenerationRequest } from '../../src/generation/sample-requests.ts';
import { askChunk, type RequestAsker } from '../../src/teacher/ask-chunk.ts';
import { askWithRetries } from '../../src/teacher/ask-with-retries.ts';
import { createPacer } from '../../src/teacher/pacer.ts';
import type { TokenSum } from '../../src/teacher/prices.ts';
import { readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import { createTeacherAsker } from '../../src/teacher/request-asker.ts';
import { TeacherError } from '../../src/teacher/teacher-error.ts';
import { runningTeacher } from '../demo/local-teacher/running-teacher.ts';
import { annotatedImage } from '../generation/images.ts';
import { request } from '../generation/requests.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { noTinyDisk, tinyDisk } from '../helpers/tiny-disk.ts';

const requests = Array.from({ length: 20 }, (_, index) => request(index + 1));
const template = await readPromptTemplate('configs/prompts/generate-v1.md');
const questionTypes = await readQuestionTypes('configs/question-types.yaml');
const imageOf = (id: ImageId) => annotatedImage({ id, captions: [`cat number ${id} on a door`] });
const never = new AbortController().signal;

/** A real teacher over HTTP, asked with real prompts. */
async function setUp(options: Parameters<typeof runningTeacher>[0] = {}, changes: { storeAnswers?: boolean } = {}) {
  const { teacher, client, settings } = await runningTeacher(options);
  const asker = createTeacherAsker<GenerationRequest>({
    client,
    settings: () => settings,
    storeAnswers: false,
    examples: (one) => one.examples.length,
    messages: (one, dropped) => {
      const examples = one.examples.slice(0, one.examples.length - dropped);
      return buildMessages({ request: { ...one, examples }, image: imageOf(one.image_id), questionTypes, template });
    },
    ...changes,
  });
  const folder = join(await temporaryFolder(), 'calls');
  const input = { requests, folder, chunk: 3, asker, pacer: createPacer({}), concurrency: 4, signal: never };
  return { teacher, asker, folder, input };
}

async function onlyFile(folder: string): Promise<string> {
  const names = await readdir(folder);
  expect(names).toHaveLength(1);
  return join(folder, names[0] as string);
}

const linesOf = async (file: string) => (await readFile(file, 'utf8')).trimEnd().split('\n');

describe('answers', () => {
  test('are kept with what they are answers to', async () => {
    const { input, teacher } = await setUp();
    const { answered, calls } = await askChunk(input);
    expect(answered).toBe(20);
    expect(calls.answers.get('request-5')).toEqual({
      request_id: 'request-5',
      image_id: 5,
      question_type: 'object_localization',
      model: 'local-teacher',
      prompt_version: 'generate-v1',
      seed: 5,
      raw_instructions: expect.stringMatching(/^Question: .*cat/),
      finish_reason: 'stop',
      usage: expect.objectContaining({ promptTokens: expect.any(Number) }),
      request_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const { promptTokens, completionTokens } = teacher.counts();
    expect(calls.charged).toEqual({ promptTokens, completionTokens });
  });

  test('have no more open requests than allowed', async () => {
    const { input, asker } = await setUp();
    let now = 0;
    let most = 0;
    const ask: RequestAsker<GenerationRequest>['ask'] = async (...one) => {
      now += 1;
      most = Math.max(most, now);
      return asker.ask(...one).finally(() => {
        now -= 1;
      });
    };
    await askChunk({ ...input, asker: { ...asker, ask }, concurrency: 3 });
    expect(most).toBe(3);
  });

  test('are counted as they come', async () => {
    const { input } = await setUp();
    const seen: number[] = [];
    await askChunk({ ...input, onProgress: (answered) => seen.push(answered) });
    expect(seen).toEqual(Array.from({ length: 21 }, (_, index) => index));
  });
});

describe('nothing is asked twice', () => {
  test('when all is answered', async () => {
    const { input, teacher } = await setUp();
    await askChunk(input);
    expect(await askChunk(input)).toMatchObject({ answered: 20 });
    expect(teacher.counts()).toMatchObject({ requests: 20, repeated: 0 });
  });

  test('after an interruption: only what is missing is requested', async () => {
    const { input, teacher } = await setUp();
    const controller = new AbortController();
    const stopped = askChunk({
      ...input,
      signal: controller.signal,
      onProgress: (answered) => answered === 7 && controller.abort(new Error('stopped')),
    });
    await expect(stopped).rejects.toThrow('stopped');
    expect(await askChunk(input)).toMatchObject({ answered: 20 });
    // What was on its way when the client hung up may be asked again; what was received never is.
    expect(teacher.counts().answered - 20).toBeLessThanOrEqual(4);
  });

  test('after an interruption, by a teacher that stores answers: open calls are looked up', async () => {
    const { input, teacher } = await setUp({ faults: { latencyMilliseconds: 100 } }, { storeAnswers: true });
    const controller = new AbortController();
    const stopped = askChunk({
      ...input,
      signal: controller.signal,
      onProgress: (answered) => answered === 7 && controller.abort(new Error('stopped')),
    });
    await expect(stopped).rejects.toThrow('stopped');
    await expect.poll(() => teacher.counts().requests === teacher.counts().answered).toBe(true);
    const { calls } = await askChunk(input);
    expect(calls.answers.size).toBe(20);
    expect(calls.unsettled).toEqual([]);
    expect(teacher.counts()).toMatchObject({ answered: 20, repeated: 0 });
    const { promptTokens, completionTokens } = teacher.counts();
    expect(calls.charged).toEqual({ promptTokens, completionTokens });
  });

  test('a lost call counts with the most that it can cost', async () => {
    const { input, asker } = await setUp({ faults: { script: [{ kind: 'cut_connection' }] } });
    await expect(askChunk({ ...input, concurrency: 1 })).rejects.toMatchObject({ retryable: true });
    const { calls } = await askChunk(input);
    expect(calls.answers.size).toBe(20);
    expect(calls.unsettled.map(({ most }) => most)).toEqual([asker.most(requests[0] as (typeof requests)[0])]);
  });

  test('after a killed writer left an incomplete line: it is removed and requested again', async () => {
    const { input, teacher, folder } = await setUp();
    await askChunk({ ...input, requests: requests.slice(0, 2), concurrency: 1 });
    const file = await onlyFile(folder);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, -30));
    expect((await askChunk(input)).calls.answers.size).toBe(20);
    expect(teacher.counts().requests).toBe(2 + 19);
    for (const line of await linesOf(file)) expect(() => JSON.parse(line)).not.toThrow();
  });

  test('what another process has answered counts', async () => {
    const { input, teacher, folder } = await setUp();
    await askChunk({ ...input, requests: requests.slice(0, 5) });
    const file = await onlyFile(folder);
    await writeFile(join(folder, 'chunk-000003.another.jsonl'), await readFile(file));
    await writeFile(file, '');
    expect((await askChunk(input)).calls.answers.size).toBe(20);
    expect(teacher.counts().requests).toBe(20);
  });
});

describe('when something goes wrong', () => {
  test('an invalid line inside a file is an error with its line, and nothing is requested', async () => {
    const { input, teacher, folder } = await setUp();
    await askChunk({ ...input, requests: requests.slice(0, 1) });
    await appendFile(await onlyFile(folder), 'oops\n');
    await expect(askChunk(input)).rejects.toThrow(/chunk-000003.*jsonl:3/);
    expect(teacher.counts().requests).toBe(1);
  });

  test('429 stops it with the time to wait, and the next attempt continues', async () => {
    const script = [...Array(5).fill('answer'), { kind: 'status', status: 429, retryAfterSeconds: 2 }];
    const { input, teacher } = await setUp({ faults: { script } });
    await expect(askChunk(input)).rejects.toMatchObject({ retryAfterSeconds: 2, retryable: true });
    expect(teacher.counts().requests).toBeLessThan(12);
    expect(await askChunk(input)).toMatchObject({ answered: 20 });
    expect(teacher.counts().answered).toBe(20);
  });

  test('a limit that the headers say is used up stops it too, before there is a 429', async () => {
    const { input, teacher } = await setUp({ limits: { requestsPerMinute: 5 } });
    await expect(askChunk({ ...input, concurrency: 1 })).rejects.toMatchObject({
      retryable: true,
      retryAfterSeconds: expect.closeTo(60, -1),
    });
    expect(teacher.counts()).toMatchObject({ answered: 5, violations: 0 });
  });

  test('500 leaves the request for the next attempt while the others are answered', async () => {
    const { input, teacher } = await setUp({ faults: { script: ['answer', { kind: 'status', status: 500 }] } });
    await expect(askChunk(input)).rejects.toMatchObject({
      retryable: true,
      message: expect.stringMatching(/^1 of 20 requests are still unanswered/),
    });
    expect(teacher.counts()).toMatchObject({ requests: 20, answered: 19 });
  });

  test('a service with problems is left alone after a few failures', async () => {
    const { input, teacher } = await setUp({ faults: { rates: { serverError: 1 } } });
    await expect(askChunk(input)).rejects.toMatchObject({ retryable: true });
    expect(teacher.counts().requests).toBeLessThanOrEqual(11);
  });

  test('a request that fails too often is given up, but not when all do', async () => {
    const { input, asker } = await setUp();
    const broken = (isBroken: (number: ImageId) => boolean): RequestAsker<GenerationRequest> => ({
      ...asker,
      ask: (one, ...rest) =>
        isBroken(one.image_id)
          ? asker.ask(one, ...rest).then(() => Promise.reject(new TeacherError('no', { retryable: true, status: 500 })))
          : asker.ask(one, ...rest),
    });
    const withAttempts = (asker: RequestAsker<GenerationRequest>, attempts: number) =>
      askWithRetries(() => askChunk({ ...input, asker }), { attempts, sleep: async () => undefined });
    await expect(
      withAttempts(
        broken(() => true),
        10,
      ),
    ).rejects.toThrow('20 of 20');
    expect(
      await withAttempts(
        broken((number) => number === 7),
        10,
      ),
    ).toMatchObject({ answered: 19, givenUp: 1 });
  });

  test('under many faults no request is lost or sent twice', async () => {
    const rates = { rateLimited: 0.1, serverError: 0.05, cutConnection: 0.05, nonsense: 0.05, malformed: 0.05 };
    const { input, teacher } = await setUp({ faults: { rates, retryAfterSeconds: 0.01 } }, { storeAnswers: true });
    const { calls } = await askWithRetries(() => askChunk(input), { attempts: 50, sleep: async () => undefined });
    expect(calls.answers.size).toBe(20);
    const { answered, repeated, requests: asked, promptTokens, completionTokens } = teacher.counts();
    expect([answered, repeated]).toEqual([20, 0]);
    expect(asked).toBeGreaterThan(20);
    expect(calls.charged).toEqual({ promptTokens, completionTokens });
  });

  test('a refused key ends it after the open requests', async () => {
    const { input, teacher } = await setUp({ faults: { requiredKey: 'another' } });
    await expect(askChunk(input)).rejects.toMatchObject({ status: 401, retryable: false });
    expect(teacher.counts().requests).toBeLessThanOrEqual(4);
  });

  test('a full disk is an error that names the file, and leaves only whole lines', async (context) => {
    const disk = tinyDisk(8192) ?? context.skip(noTinyDisk);
    const { input } = await setUp();
    await expect(askChunk({ ...input, folder: disk })).rejects.toThrow(/chunk-000003.*full/s);
    const text = await readFile(await onlyFile(disk), 'utf8');
    expect(text.length).toBeGreaterThan(0);
    for (const line of text.trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  });
});

describe('a request that the model can’t take', () => {
  const example = { idx: 'a', prompt: 'Question: What is it? '.repeat(20) };
  const long = [request(1, { examples: [example, example] })];

  test('is asked with fewer examples when it is too long', async () => {
    const { input, asker } = await setUp();
    const { promptTokens } = asker.most(long[0] as (typeof long)[0]);
    const { input: limited } = await setUp({ faults: { contextTokens: promptTokens + 800 - 50 } });
    const { calls } = await askChunk({ ...limited, folder: input.folder, requests: long });
    expect(calls.answers.get('request-1')).toMatchObject({ examples_dropped: 1 });
  });

  test('is left with its refusal when it is too long without any, or its content is refused', async () => {
    const { input } = await setUp({
      faults: { contextTokens: 100, script: [{ kind: 'status', status: 400, code: 'content_filter' }] },
    });
    const { calls } = await askChunk({ ...input, requests: [...requests.slice(1, 2), ...long], concurrency: 1 });
    expect(calls.answers.get('request-2')).toMatchObject({ refusal: expect.any(String), raw_instructions: '' });
    expect(calls.answers.get('request-1')).toMatchObject({ refusal: expect.stringMatching(/100 tokens/) });
  });
});

describe('an allowance', () => {
  test('ends it before it can be exceeded, and continues with a larger one', async () => {
    const { input, asker, teacher } = await setUp();
    const { promptTokens, completionTokens } = asker.most(requests[0] as (typeof requests)[0]);
    const most = promptTokens + completionTokens;
    const within = (limit: number) => ({
      ...input,
      mayCost: (sum: TokenSum) => sum.promptTokens + sum.completionTokens <= limit,
    });
    const { answered, outOfBudget } = await askChunk(within(3.5 * most));
    expect(outOfBudget).toBe(true);
    const spent = teacher.counts().promptTokens + teacher.counts().completionTokens;
    expect(spent).toBeLessThanOrEqual(3.5 * most);
    expect(answered).toBeGreaterThanOrEqual(3);
    expect(await askChunk(within(21 * most))).toMatchObject({ answered: 20, outOfBudget: false });
  });
});
