import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { askPatiently } from '../../generation/ask-patiently.ts';
import { generateAnswers } from '../../generation/generate.ts';
import type { GenerationRequest } from '../../generation/generation-request.ts';
import { buildMessages } from '../../generation/prompt.ts';
import { readPromptTemplate } from '../../generation/prompt-template.ts';
import { readQuestionTypes } from '../../generation/question-types.ts';
import { readRawAnswers } from '../../generation/raw-answers.ts';
import { askTeacher, type TeacherAnswer } from '../../generation/teacher.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { noTinyDisk, tinyDisk } from '../tiny-disk.ts';
import { runningTeacher } from './local-teacher/running-teacher.ts';
import { annotatedPicture } from './pictures.ts';
import { request } from './requests.ts';

const requests = Array.from({ length: 20 }, (_, index) => request(index + 1));
const template = await readPromptTemplate('configs/prompts/generate-v1.md');
const types = await readQuestionTypes('configs/question-types.yaml');

/** A real teacher over HTTP, asked with real prompts. */
async function setUp(options: Parameters<typeof runningTeacher>[0] = {}) {
  const { teacher, client, settings } = await runningTeacher(options);
  const ask = (request: GenerationRequest, signal: AbortSignal): Promise<TeacherAnswer> => {
    const { image_id: id, seed } = request;
    const picture = annotatedPicture({ id, captions: [`cat number ${id} on a door`] });
    return askTeacher(client, buildMessages({ request, picture, types, template }), settings, { signal, seed });
  };
  const resultFile = join(await temporaryFolder(), 'round-1', 'gptvqa_result.jsonl');
  return { teacher, ask, resultFile, input: { requests, resultFile, ask, concurrency: 4 } };
}

const linesOf = async (file: string) => (await readFile(file, 'utf8')).trimEnd().split('\n');

describe('answers', () => {
  test('are one line each, with what they are answers to', async () => {
    const { input, resultFile, teacher } = await setUp();
    const { promptTokens, completionTokens } = await generateAnswers(input).then(() => teacher.counts());
    expect(await linesOf(resultFile)).toHaveLength(20);
    const answers = await readRawAnswers(resultFile, requests);
    expect(answers[4]).toMatchObject({
      request_id: 'request-5',
      image_id: 5,
      question_type: 'object_localization',
      model: 'local-teacher',
      prompt_version: 'generate-v1',
      seed: 5,
      raw_instructions: expect.stringMatching(/^Question: .*cat/),
    });
    const sum = (key: 'promptTokens' | 'completionTokens') =>
      answers.reduce((total, { usage }) => total + usage[key], 0);
    expect([sum('promptTokens'), sum('completionTokens')]).toEqual([promptTokens, completionTokens]);
  });

  test('come in the order of the requests, however they arrived', async () => {
    const { input, resultFile } = await setUp();
    const ask: typeof input.ask = async (request, signal) => {
      await new Promise((resolve) => setTimeout(resolve, 20 - request.image_id));
      return input.ask(request, signal);
    };
    await generateAnswers({ ...input, ask, concurrency: 20 });
    const answers = await readRawAnswers(resultFile, requests);
    expect(answers.map(({ request_id }) => request_id)).toEqual(requests.map(({ id }) => id));
  });

  test('are never more on their way than allowed', async () => {
    const { input } = await setUp();
    let now = 0;
    let most = 0;
    const ask: typeof input.ask = async (request, signal) => {
      now += 1;
      most = Math.max(most, now);
      return input.ask(request, signal).finally(() => {
        now -= 1;
      });
    };
    await generateAnswers({ ...input, ask, concurrency: 3 });
    expect(most).toBe(3);
  });

  test('are counted as they come', async () => {
    const { input } = await setUp();
    const seen: number[] = [];
    const result = await generateAnswers({ ...input, onProgress: ({ answered }) => seen.push(answered) });
    expect(seen).toEqual(Array.from({ length: 21 }, (_, index) => index));
    expect(result).toMatchObject({ answered: 20, total: 20, alreadyAnswered: 0 });
  });
});

describe('nothing is asked twice', () => {
  test('when all is answered', async () => {
    const { input, teacher, resultFile } = await setUp();
    const first = await generateAnswers(input);
    const before = await readFile(resultFile, 'utf8');
    const again = await generateAnswers(input);
    expect(again).toEqual({ ...first, alreadyAnswered: 20 });
    expect(await readFile(resultFile, 'utf8')).toBe(before);
    expect(teacher.counts()).toMatchObject({ requests: 20, repeated: 0 });
  });

  test('when a request is there twice', async () => {
    const { input, teacher } = await setUp();
    await generateAnswers({ ...input, requests: [...requests, ...requests] });
    expect(teacher.counts().requests).toBe(20);
  });

  test('after an interruption: only what is missing is asked', async () => {
    const { input, teacher } = await setUp();
    const controller = new AbortController();
    const stopped = generateAnswers({
      ...input,
      signal: controller.signal,
      onProgress: ({ answered }) => answered === 7 && controller.abort(new Error('stopped')),
    });
    await expect(stopped).rejects.toThrow('stopped');
    const { alreadyAnswered, answered } = await generateAnswers(input);
    expect(alreadyAnswered).toBeGreaterThanOrEqual(7);
    expect(answered).toBe(20);
    // What was on its way when the client hung up may be asked again; what was received never is.
    expect(teacher.counts().answered - 20).toBeLessThanOrEqual(4);
  });

  test.each([
    ['a cut line', '{"request_id":"request-2","image_id":2,"raw_instr'],
    ['a whole line without its line break', undefined],
  ])('after a killed writer left %s: it is cut off and asked once more', async (_, rest) => {
    const { input, teacher, resultFile } = await setUp();
    await generateAnswers({ ...input, requests: requests.slice(0, 2), concurrency: 1 });
    const [first = '', second = ''] = await linesOf(resultFile);
    await writeFile(resultFile, `${first}\n${rest ?? second}`);
    const { alreadyAnswered } = await generateAnswers(input);
    expect(alreadyAnswered).toBe(1);
    expect(teacher.counts().requests).toBe(2 + 19);
    const lines = await linesOf(resultFile);
    expect(lines).toHaveLength(20);
    expect(new Set(lines.map((line) => (JSON.parse(line) as { request_id: string }).request_id)).size).toBe(20);
  });
});

describe('when something goes wrong', () => {
  test('a broken line inside the file is an error with its line, and nothing is asked', async () => {
    const { input, teacher, resultFile } = await setUp();
    await generateAnswers({ ...input, requests: requests.slice(0, 1) });
    await appendFile(resultFile, 'oops\n');
    await expect(generateAnswers(input)).rejects.toThrow(/gptvqa_result\.jsonl:2/);
    expect(teacher.counts().requests).toBe(1);
  });

  test('429 stops it with the time to wait, and the next attempt goes on', async () => {
    const script = [...Array(5).fill('answer'), { kind: 'status', status: 429, retryAfterSeconds: 2 }];
    const { input } = await setUp({ faults: { script } });
    await expect(generateAnswers(input)).rejects.toMatchObject({ retryAfterSeconds: 2, retryable: true });
    const { alreadyAnswered, answered } = await generateAnswers(input);
    expect(alreadyAnswered).toBeGreaterThanOrEqual(5);
    expect(answered).toBe(20);
  });

  test('a patient asker gets through a bad day without a request lost or doubled', async () => {
    const rates = { rateLimited: 0.1, serverError: 0.05, cutConnection: 0.05, nonsense: 0.05 };
    const { input, resultFile, teacher } = await setUp({ faults: { rates, retryAfterSeconds: 0.01 } });
    const sleep = async () => undefined;
    const ask: typeof input.ask = (request, signal) =>
      askPatiently(() => input.ask(request, signal), { attempts: 20, signal, sleep });
    await generateAnswers({ ...input, ask });
    expect(await linesOf(resultFile)).toHaveLength(20);
    expect(teacher.counts()).toMatchObject({ answered: 20, repeated: 0 });
    expect(teacher.counts().requests).toBeGreaterThan(20);
  });

  test('a refused key ends it after the requests on their way', async () => {
    const { input, teacher } = await setUp({ faults: { requiredKey: 'another' } });
    await expect(generateAnswers(input)).rejects.toMatchObject({ status: 401, retryable: false });
    expect(teacher.counts().requests).toBeLessThanOrEqual(4);
  });

  test('a full disk is an error that names the file, and leaves only whole lines', async (context) => {
    const disk = tinyDisk(8192) ?? context.skip(noTinyDisk);
    const { input } = await setUp();
    const resultFile = join(disk, 'gptvqa_result.jsonl');
    await expect(generateAnswers({ ...input, resultFile })).rejects.toThrow(/gptvqa_result\.jsonl.*full/s);
    const text = await readFile(resultFile, 'utf8');
    expect(text.length).toBeGreaterThan(0);
    expect(text.endsWith('\n')).toBe(true);
    for (const line of text.trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  });
});
