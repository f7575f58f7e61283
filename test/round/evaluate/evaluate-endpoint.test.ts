import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { encodePng, openImage } from '../../../src/core/images/open-image.ts';
import { answerStem, listedQuestion } from '../../../src/datasets/question-text.ts';
import { readScores } from '../../../src/evaluation/evaluation-files.ts';
import { askServer } from '../../../src/round/check-serving/ask-server.ts';
import { evaluateEndpoint } from '../../../src/round/evaluate/evaluate-endpoint.ts';
import { readLedger } from '../../../src/teacher/ledger.ts';
import { mmbenchRows, plainImage, writeTable } from '../../evaluation/benchmarks/official-files.ts';
import { pixelHash, toyLoss } from '../../evaluation/endpoint/toy-server.ts';
import { photoWithMetadata } from '../../helpers/photo.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { about, answersIn, input, server, setOf } from './endpoint-inputs.ts';

/** A server whose answer to everything is this list of models. @returns its base URL */
async function serverListing(models: object): Promise<string> {
  const listing = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(models));
  }).listen(0, '127.0.0.1');
  await once(listing, 'listening');
  onTestFinished(() => void listing.close());
  return `http://127.0.0.1:${(listing.address() as AddressInfo).port}/v1`;
}

describe('an endpoint that gives log-probabilities of prompts', () => {
  test('ranks: the losses are those of each choice behind `The answer is`, and the scores say so', async () => {
    const toy = await server();
    const tiny = await writeTinyQuestions(await temporaryFolder(), 6);
    const { scores, folder } = await evaluateEndpoint(await input(toy.url, setOf(tiny)));
    expect(scores).toMatchObject({
      ranking: 'prompt-logprobs',
      questions: 6,
      unanswered: 0,
      endpoint: { url: toy.url, model: 'toy', fingerprint: scores.weights },
    });
    const answers = await answersIn(folder);
    for (const [index, { choices, question, image_id }] of tiny.questions.entries()) {
      const image = join(
        tiny.images,
        (await readdir(tiny.images)).find((name) => name.includes(String(image_id))) ?? '',
      );
      const pixels = await openImage(image, {}, encodePng);
      const hash = await pixelHash(`data:image/png;base64,${pixels.toString('base64')}`);
      const wanted = choices.map((_, choice) =>
        toyLoss('toy', [hash], listedQuestion(question, choices), {
          start: 'The answer is',
          answer: answerStem(choices, choice),
        }),
      );
      expect(answers[index]?.losses).toEqual(wanted.map((loss) => expect.closeTo(loss, 10)));
    }
    expect(await readScores(folder)).toEqual(scores);
    // Six questions about three images.
    expect(scores.measures.multipleChoice).toMatchObject({ count: 6, images: 3 });
  });

  test('direct answers are written beside the ranking', async () => {
    const toy = await server();
    const tiny = await writeTinyQuestions(await temporaryFolder(), 2);
    const { folder } = await evaluateEndpoint(await input(toy.url, setOf(tiny, { answerMode: 'generated' })));
    for (const { losses, text } of await answersIn(folder)) {
      expect(losses).toHaveLength(4);
      expect(text).toMatch(/^word\d+ word\d+$/);
    }
  });

  test('an image goes as the pixels that every model here is shown, upright, unscaled and without its metadata', async () => {
    const toy = await server();
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    const [name = ''] = await readdir(tiny.images);
    await writeFile(join(tiny.images, name), await photoWithMetadata(1200, 1600));
    await evaluateEndpoint(await input(toy.url, setOf(tiny)));
    const sent = about(tiny, toy.received).flatMap(({ messages }) =>
      messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content)),
    );
    const urls = new Set(sent.flatMap((part) => (part.type === 'image_url' ? [part.image_url.url] : [])));
    expect(urls.size).toBe(1);
    const [url = ''] = urls;
    expect(url).toMatch(/^data:image\/png;base64,/);
    expect(await pixelHash(url)).toMatch(/^1200x1600x3 /);
    const own = await openImage(join(tiny.images, name), {}, encodePng);
    expect(await pixelHash(url)).toBe(await pixelHash(`data:image/png;base64,${own.toString('base64')}`));
    expect(Buffer.from(url.slice(22), 'base64').toString('latin1')).not.toMatch(/Person|GPS|xmp/);
  });
});

describe('an endpoint without them', () => {
  test.each(['refused', 'ignored', 'closed'] as const)(
    'log-probabilities that are %s: choices are written, and the scores say so',
    async (logprobs) => {
      const toy = await server({ logprobs });
      const tiny = await writeTinyQuestions(await temporaryFolder(), 5);
      const { scores, folder } = await evaluateEndpoint(await input(toy.url, setOf(tiny)));
      expect(scores).toMatchObject({ ranking: 'written', questions: 5, unanswered: 0 });
      for (const { losses, choice } of await answersIn(folder)) {
        expect(losses).toEqual([]);
        expect([0, 1, 2, 3]).toContain(choice);
      }
      expect(about(tiny, toy.received).some(({ prompt_logprobs }) => prompt_logprobs !== undefined)).toBe(false);
    },
  );

  test('an answer that names no choice counts as wrong, and is counted', async () => {
    const toy = await server({
      logprobs: 'refused',
      before: ({ messages }) => (JSON.stringify(messages).includes('The answer') ? undefined : silent),
    });
    const tiny = await writeTinyQuestions(await temporaryFolder(), 3);
    const { scores } = await evaluateEndpoint(await input(toy.url, setOf(tiny)));
    expect(scores.unanswered).toBe(3);
    expect(scores.measures.multipleChoice?.value).toBe(0);
  });

  const silent = {
    status: 200,
    body: { choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'I see nothing.' } }] },
  };

  test('written answers of MMBench are matched by its official rules', async () => {
    const toy = await server({ logprobs: 'refused' });
    const file = join(await temporaryFolder(), 'mmbench.tsv');
    await writeTable(file, await mmbenchRows());
    const set = { name: 'mmbench', benchmark: 'mmbench', file, blind: false, answerMode: 'generated' } as const;
    const { scores } = await evaluateEndpoint(await input(toy.url, set));
    expect(Object.keys(scores.measures)).toEqual(['circular', 'vanilla', 'lenientCircular', 'lenientVanilla']);
    expect(scores).not.toHaveProperty('ranking');
  });

  test('choices that the question does not list are listed', async () => {
    const toy = await server({ logprobs: 'refused' });
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    const [image = ''] = await readdir(tiny.images);
    const file = join(dirname(tiny.file), 'SEED-Bench.json');
    const one = { question_id: 'a', data_id: image, data_type: 'image', question: 'Which?', question_type_id: 1 };
    const choices = { choice_a: 'cat', choice_b: 'dog', choice_c: 'cow', choice_d: 'hen', answer: 'B' };
    await writeFile(file, JSON.stringify({ questions: [{ ...one, ...choices }], question_type: { Kind: 1 } }));
    const set = {
      name: 'seed',
      benchmark: 'seed-bench',
      file,
      images: tiny.images,
      blind: false,
      answerMode: 'ranked',
    } as const;
    const { scores } = await evaluateEndpoint(await input(toy.url, set));
    expect(scores).toMatchObject({ ranking: 'written', unanswered: 0 });
    expect(JSON.stringify(toy.received)).toContain('(A) cat (B) dog (C) cow (D) hen');
  });
});

describe('which model answers', () => {
  test('another one is another evaluation; the same one is asked once', async () => {
    const toy = await server();
    const tiny = await writeTinyQuestions(await temporaryFolder(), 2);
    const asked = await input(toy.url, setOf(tiny));
    const first = await evaluateEndpoint(asked);
    const before = about(tiny, toy.received).length;
    expect((await evaluateEndpoint(asked)).folder).toBe(first.folder);
    expect(about(tiny, toy.received)).toHaveLength(before);
    toy.settings.seed = 'another';
    const second = await evaluateEndpoint(asked);
    expect(second.folder).not.toBe(first.folder);
    expect(second.scores.weights).not.toBe(first.scores.weights);
    expect(about(tiny, toy.received)).toHaveLength(2 * before);
  });

  test('a change in between is an error that shows it, and no answer is kept', async () => {
    const toy = await server();
    const tiny = await writeTinyQuestions(await temporaryFolder(), 3);
    const asked = await input(toy.url, setOf(tiny), { concurrency: 1 });
    toy.settings.before = () => {
      if (about(tiny, toy.received).length === 7) toy.settings.seed = 'another';
      return undefined;
    };
    await expect(evaluateEndpoint(asked)).rejects.toMatchObject({
      name: 'InputError',
      problem: expect.stringMatching(
        /^answers otherwise than when the evaluation started: "word\d+ word\d+" then, "word/,
      ),
      // Whatever --concurrency says, the prompts are asked alone.
      remedy: expect.stringMatching(/asked one by one.* ask a server that nobody else uses/),
    });
    toy.settings.before = undefined as never;
    toy.settings.seed = 'toy';
    const before = about(tiny, toy.received).length;
    await evaluateEndpoint(asked);
    expect(about(tiny, toy.received).length - before).toBe(3 * 5);
  });

  test('a name that the server does not have is wrong input, with the names that it has', async () => {
    const unknown = { status: 404, body: { error: { message: 'The model `nope` does not exist.' } } };
    const toy = await server({ before: ({ model }) => (model === 'nope' ? unknown : undefined) });
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    const endpoint = { url: toy.url, model: 'nope', requestTimeoutSeconds: 30 };
    await expect(evaluateEndpoint(await input(toy.url, setOf(tiny), { endpoint }))).rejects.toMatchObject({
      name: 'InputError',
      ...{ field: '--model-name', problem: `${toy.url} has no model nope`, remedy: 'Give one of toy' },
    });
  });

  test('a refusal of a model that the server has stays what the server says', async () => {
    const refusal = { status: 404, body: { error: { message: 'no such path' } } };
    const toy = await server({ before: () => refusal });
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    await expect(evaluateEndpoint(await input(toy.url, setOf(tiny)))).rejects.toMatchObject({
      ...{ name: 'TeacherError', message: expect.stringContaining('no such path') },
    });
  });

  test('the only model of a server needs no name', async () => {
    const toy = await server();
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    const endpoint = { url: `${toy.url}/`, requestTimeoutSeconds: 30 };
    const { scores } = await evaluateEndpoint(await input(toy.url, setOf(tiny), { endpoint }));
    expect(scores.endpoint).toMatchObject({ url: toy.url, model: 'toy' });
  });
});

describe('before anything is asked', () => {
  const table = (file: string) =>
    ({ name: 'q', benchmark: 'tsv', file, blind: false, answerMode: 'generated' }) as const;

  test('a file that is missing is named', async () => {
    const toy = await server();
    await expect(evaluateEndpoint(await input(toy.url, table('/nowhere/q.tsv')))).rejects.toMatchObject({
      ...{ name: 'InputError', file: '/nowhere/q.tsv', problem: 'no such file' },
    });
    expect(toy.received).toEqual([]);
  });

  test('a file with a fault is refused, and no folder is made for it', async () => {
    const toy = await server();
    const file = join(await temporaryFolder(), 'twice.tsv');
    const row = {
      index: 7,
      question: 'Which?',
      A: 'a',
      B: 'b',
      answer: 'A',
      image: (await plainImage('red')).toString('base64'),
    };
    await writeTable(file, [row, row], ['index', 'question', 'A', 'B', 'answer', 'image']);
    const asked = await input(toy.url, table(file));
    await expect(evaluateEndpoint(asked)).rejects.toMatchObject({ name: 'InputError', problem: '7 is there twice' });
    expect([toy.received, await readdir(asked.output)]).toEqual([[], []]);
  });
});

describe('requests', () => {
  test('an endpoint that says `Retry-After: 0` each time is given time all the same', async () => {
    let refused = 0;
    let since = Number.POSITIVE_INFINITY;
    const tiny = await writeTinyQuestions(await temporaryFolder(), 2);
    const toy = await server({
      before: (request) => {
        if (about(tiny, [request]).length === 0) return undefined;
        since = Math.min(since, performance.now());
        if (performance.now() - since > 2500) return undefined;
        refused += 1;
        return { status: 429, body: { error: { message: 'busy' } }, headers: { 'retry-after': '0' } };
      },
    });
    const { scores } = await evaluateEndpoint(await input(toy.url, setOf(tiny), { concurrency: 1 }));
    expect(scores).toMatchObject({ questions: 2, unanswered: 0 });
    // At once, after no second, two and four: twenty tries at once would have ended it.
    expect(refused).toBeLessThanOrEqual(4);
  });

  test.each([[{ data: [{ id: 5 }] }], [{ data: [{ id: '' }] }], [{ data: 'toy' }]])(
    'a list of models that is none, %j, is an error in words',
    async (list) => {
      const url = await serverListing(list);
      const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
      const asked = await input(url, setOf(tiny), { endpoint: { url, requestTimeoutSeconds: 30 } });
      await expect(evaluateEndpoint(asked)).rejects.toMatchObject({
        ...{ name: 'TeacherError', message: expect.stringContaining('no list of models'), retryable: false },
      });
    },
  );

  test('the serving gate asks no server that lists several models', async () => {
    const url = await serverListing({ data: [{ id: 'a' }, { id: 'b' }] });
    const { signal } = new AbortController();
    await expect(
      askServer([], { url, exif: 'apply', serve: 'two', signal, onProgress: () => undefined }),
    ).rejects.toMatchObject({ name: 'InputError', problem: 'the server two lists 2 models' });
  });

  test('as many as are allowed are open, and a rate limit is waited for', async () => {
    let refused = 0;
    const toy = await server({
      delay: 20,
      before: ({ number }) => {
        if (number !== 20) return undefined;
        refused += 1;
        return { status: 429, body: { error: { message: 'slow down' } }, headers: { 'retry-after': '1' } };
      },
    });
    const tiny = await writeTinyQuestions(await temporaryFolder(), 8);
    const asked = await input(toy.url, setOf(tiny), { concurrency: 3 });
    const { scores } = await evaluateEndpoint(asked);
    expect(scores.unanswered).toBe(0);
    expect(refused).toBe(1);
    expect(toy.mostOpen()).toBe(3);
    const { calls, failedCalls, promptTokens } = await readLedger(asked.output);
    expect({ calls, failedCalls }).toEqual({ calls: 9, failedCalls: 1 });
    expect(promptTokens).toBeGreaterThan(8 * 5 * 20);
  });

  test('an endpoint that refuses is named, in its own words', async () => {
    const toy = await server({ before: () => ({ status: 401, body: { error: { message: 'no such key' } } }) });
    const tiny = await writeTinyQuestions(await temporaryFolder(), 1);
    const failure = await evaluateEndpoint(await input(toy.url, setOf(tiny))).catch((error: Error) => error);
    expect(failure).toMatchObject({ name: 'TeacherError', message: expect.stringContaining('no such key') });
    expect((failure as Error).message).not.toMatch(/teacher/i);
  });

  test('a question that is too long for the model counts as unanswered', async () => {
    const toy = await server({
      before: ({ number, messages }) =>
        JSON.stringify(messages).includes('image_url') && number > 20 && number < 24
          ? { status: 400, body: { error: { message: 'too long', code: 'context_length_exceeded' } } }
          : undefined,
    });
    const tiny = await writeTinyQuestions(await temporaryFolder(), 4);
    const { scores } = await evaluateEndpoint(await input(toy.url, setOf(tiny), { concurrency: 1 }));
    expect(scores.unanswered).toBeGreaterThan(0);
    expect(scores.unanswered).toBeLessThan(4);
  });
});
