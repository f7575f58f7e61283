/** Requests to every server that this program starts, over real sockets. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { serveCodec } from '../../cli/codec-server.ts';
import { serveSampleReview } from '../../cli/data-review/web.ts';
import type { Review } from '../../cli/prompt-review/review.ts';
import { serveReview } from '../../cli/prompt-review/web.ts';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { type GivenDecision, givenDecisionSchema } from '../../src/round/review/decisions.ts';
import { serveChat } from '../../src/serving/chat-server.ts';
import { serveHealth } from '../../workers/health.ts';
import { parsePayloadKeys, payloadCodec } from '../../workers/payload-codec.ts';
import { problemOf } from '../../workflows/message.ts';
import { refuse } from '../../workflows/message-handlers.ts';
import { decideUpdate, maxCommentLength, verdictUpdate } from '../../workflows/prompt-messages.ts';
import { PromptState } from '../../workflows/prompt-state.ts';
import { wordsEngine } from '../support/words-engine.ts';
import { isHttp, type RawRequest, requestsLike, sendRaw, showRequest, type ValidRequest } from './send-raw.ts';
import { type FuzzTarget, fuzzTarget } from './target.ts';

interface OpenServer {
  port: number;
  /** What it takes. */
  valid: readonly ValidRequest[];
  /** Answered with 200 at any time; a path is for GET. */
  good: string | ValidRequest;
  /** What it may answer besides. */
  statuses: readonly number[];
  /** Before each request. */
  reset?(): void;
  /** After it. @throws where something was done that must not be */
  check?(): void;
  close(): Promise<void>;
}

/** What Node's server itself answers to what is no HTTP, or too large. */
const ofHttp = [400, 408, 413, 417, 431];

function serverTarget(name: string, start: (folder: string) => Promise<OpenServer>): FuzzTarget {
  return fuzzTarget<RawRequest>(name, async (folder) => {
    const { port, valid, good, statuses, reset, check, close } = await start(folder);
    const host: RawRequest['headers'] = [['host', `127.0.0.1:${port}`]];
    const { method, path, headers = {}, body = '' } = typeof good === 'string' ? { method: 'GET', path: good } : good;
    const requireGood = async () => {
      const status = await sendRaw(port, {
        method,
        path,
        headers: [...host, ...Object.entries(headers)],
        body: Buffer.from(body),
        lengthOff: 0,
      });
      if (status !== 200) throw new Error(`the next good request is answered with ${status}`);
    };
    await requireGood();
    return {
      input: requestsLike(valid, port),
      show: showRequest,
      close,
      async take(request) {
        reset?.();
        const status = await sendRaw(port, request);
        if (status === undefined ? isHttp(request) : ![200, ...statuses, ...ofHttp].includes(status)) {
          throw new Error(`it is answered with ${status ?? 'nothing'}`);
        }
        check?.();
        await requireGood();
      },
    };
  });
}

const json = { 'content-type': 'application/json' };
const prompt =
  '## Question type\n\ncounting: how many\n\n## Captions\n\n- a cat\n\n## Objects\n\ncat [0.1, 0.2, 0.3, 0.4]\n';
const chat = {
  model: 'gpt-4',
  messages: [{ role: 'user', content: prompt }],
  max_tokens: 50,
  store: true,
  metadata: { a: 'b' },
};
const line = { custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body: chat };
const form = [
  '--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
  `--x\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n${JSON.stringify(line)}\n\r\n--x--\r\n`,
].join('');
const batch = {
  input_file_id: 'file-1',
  endpoint: '/v1/chat/completions',
  completion_window: '24h',
  metadata: { a: 'b' },
};

const teacher = serverTarget('server-local-teacher', async () => {
  const server = await startLocalTeacher({ mistakeRate: 0.5 });
  return {
    port: server.port,
    good: '/v1/models',
    statuses: [403, 404, 405, 409],
    close: server.close,
    valid: [
      { method: 'POST', path: '/v1/chat/completions', headers: json, body: JSON.stringify(chat) },
      { method: 'GET', path: '/v1/chat/completions?limit=2&metadata[a]=b' },
      { method: 'POST', path: '/v1/files', headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: form },
      { method: 'GET', path: '/v1/files/file-1' },
      { method: 'GET', path: '/v1/files/file-1/content' },
      { method: 'POST', path: '/v1/batches', headers: json, body: JSON.stringify(batch) },
      { method: 'GET', path: '/v1/batches?limit=1&after=batch_1' },
      { method: 'GET', path: '/v1/batches/batch_1' },
      { method: 'POST', path: '/v1/batches/batch_2/cancel' },
      { method: 'GET', path: '/admin/counts' },
      { method: 'GET', path: '/admin/requests' },
    ],
  };
});

/** As the workflow's handlers do. */
function refuseWrong(update: Parameters<typeof problemOf>[0], given: unknown): void {
  const problem = problemOf(update, [given]);
  if (problem !== undefined) refuse(problem);
}

/** The page, of a workflow that waits for verdicts, and refuses what the real one refuses. */
const review = serverTarget('server-prompt-review', async (folder) => {
  const image = join(folder, 'image.jpg');
  await mkdir(folder, { recursive: true });
  await sharp({ create: { width: 16, height: 16, channels: 3, background: '#826' } }).toFile(image);
  const samples = ['one', 'two'].map((id) => ({
    id,
    image_id: 1,
    question_type: 'counting',
    images: 'same' as const,
    prompt,
    answer: 'Question: <b>',
    image,
  }));
  const shown = { show: () => undefined };
  let state = new PromptState(shown);
  let taken: { comment?: string | undefined; verdict?: string; sample?: string; action?: string }[] = [];
  const attempt = async <V extends (typeof taken)[number], R>(value: V, check: () => void, work: () => R) => {
    try {
      check();
    } catch (error) {
      return { refused: (error as Error).message };
    }
    taken.push(value);
    return work();
  };
  const played: Review = {
    workflowId: 'w',
    progress: async () => state.progress,
    samples: async () => samples,
    waitForSamples: async () => ({ progress: state.progress, samples }),
    waitingFor: async () => undefined,
    judge: (verdict) =>
      attempt(
        verdict,
        () => {
          refuseWrong(verdictUpdate, verdict);
          state.checkVerdict(verdict);
        },
        () => state.judge(verdict),
      ),
    decide: (decision) =>
      attempt(
        decision,
        () => {
          refuseWrong(decideUpdate, decision);
          state.checkDecision(decision);
        },
        () => state.decide(decision),
      ),
    result: async () => ({ iterations: 1, directory: folder }),
  };
  const reset = () => {
    state = new PromptState(shown);
    taken = [];
    const of = samples.map(({ id }) => ({ id, images: 'same' as const, dropped: false }));
    state.showSamples({ iteration: 1, samples: of, samplesFile: 'samples.jsonl', promptFile: 'prompt.md' });
    state.progress.phase = 'waiting for verdicts';
  };
  reset();
  const page = await serveReview(played, { port: 0 });
  const { port, pathname } = new URL(page.address);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return {
    port: Number(port),
    good: pathname,
    statuses: [303, 403, 404, 405, 409, 415],
    close: page.close,
    reset,
    check() {
      for (const { comment = '', verdict, sample, action } of taken) {
        const isVerdict = ['one', 'two'].includes(sample ?? '') && ['good', 'bad'].includes(verdict ?? '');
        const isDecision = ['revise', 'accept', 'stop'].includes(action ?? '');
        if (comment.length > maxCommentLength || isVerdict === isDecision) throw new Error(JSON.stringify(taken));
      }
    },
    valid: [
      { method: 'GET', path: pathname },
      { method: 'GET', path: `${pathname}image/one` },
      { method: 'POST', path: pathname, headers, body: 'sample=one&verdict=bad&comment=too+long' },
      { method: 'POST', path: pathname, headers, body: 'action=revise&comment=be+brief' },
    ],
  };
});

/** The page for generated samples, which decides what the real one does. */
const dataReview = serverTarget('server-data-review', async (folder) => {
  const image = join(folder, 'image.jpg');
  await mkdir(folder, { recursive: true });
  await sharp({ create: { width: 16, height: 16, channels: 3, background: '#826' } }).toFile(image);
  const sample = {
    ...{ image_id: 1, raw_instructions: 'x', question_type: 'color', question: 'Which <b>?', choices: ['red', 'blue'] },
    ...{ correct_choice_idx: 0, rationales: ['So.'] },
  };
  const keys = ['a', 'b'].map((letter) => letter.repeat(64));
  let taken: GivenDecision[] = [];
  const reset = () => {
    taken = [];
  };
  const page = await serveSampleReview(
    {
      round: 1,
      samples: async () => keys.map((key) => ({ key, sample, image })),
      async decide(given) {
        if (!keys.includes(given.sample)) return { field: 'sample', problem: 'is not of this round' };
        taken.push(given);
        return undefined;
      },
    },
    { port: 0 },
  );
  const { port, pathname } = new URL(page.address);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const edit = `sample=${keys[0]}&decision=edit&question=Q%3F&choice0=a&choice1=b&correct=1&explanation=So`;
  return {
    port: Number(port),
    good: pathname,
    statuses: [303, 403, 404, 405, 409, 415],
    close: page.close,
    reset,
    check() {
      for (const given of taken) givenDecisionSchema.parse(given);
    },
    valid: [
      { method: 'GET', path: `${pathname}?sample=2` },
      { method: 'GET', path: `${pathname}image/${keys[0]}` },
      { method: 'POST', path: pathname, headers, body: `sample=${keys[0]}&decision=reject&comment=no` },
      { method: 'POST', path: pathname, headers, body: edit },
    ],
  };
});

const health = serverTarget('server-health', async () => {
  const { port, close } = await serveHealth([], { port: 0 });
  return { port, close, good: '/healthz', statuses: [403, 404], valid: [{ method: 'GET', path: '/healthz' }] };
});

const codec = serverTarget('server-codec', async () => {
  const keys = parsePayloadKeys(`k1:${Buffer.alloc(32).toString('base64')}`, 'keys');
  const ui = 'http://localhost:8233';
  const server = await serveCodec({ codec: payloadCodec(keys), port: 0, ui, namespace: 'default' });
  const headers = { ...json, 'x-namespace': 'default', origin: ui };
  const payload = { metadata: { encoding: btoa('json/plain') }, data: btoa('"a"') };
  const [encrypted] = await payloadCodec(keys).encode([{ metadata: { encoding: Buffer.from('json/plain') } }]);
  const inBase64 = {
    metadata: Object.fromEntries(
      Object.entries(encrypted?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    ),
    data: Buffer.from(encrypted?.data ?? []).toString('base64'),
  };
  const encode = { method: 'POST', path: '/encode', headers, body: JSON.stringify({ payloads: [payload] }) };
  const decode = { method: 'POST', path: '/decode', headers, body: JSON.stringify({ payloads: [inBase64] }) };
  return {
    port: Number(new URL(server.address).port),
    good: decode,
    statuses: [204, 403, 404, 405, 415, 422],
    valid: [encode, decode, { method: 'OPTIONS', path: '/decode', headers: { origin: ui } }],
    close: server.close,
  };
});

const model = serverTarget('server-of-a-model', async () => {
  const engine = wordsEngine();
  const failures: unknown[] = [];
  const server = await serveChat(engine, {
    ...{ host: '127.0.0.1', port: 0, mostAnswers: 8, bodyBytes: 100_000, imagePixels: 100_000, defaultMaxTokens: 20 },
    report: (error) => failures.push(error),
  });
  const pixels = await sharp({ create: { width: 4, height: 4, channels: 3, background: '#826' } })
    .png()
    .toBuffer();
  const url = `data:image/png;base64,${pixels.toString('base64')}`;
  const content = [
    { type: 'image_url', image_url: { url } },
    { type: 'text', text: 'What?' },
  ];
  const settings = {
    max_tokens: 5,
    temperature: 0.5,
    top_p: 0.9,
    n: 2,
    stop: ['b'],
    seed: 3,
    logprobs: true,
    top_logprobs: 1,
  };
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content },
  ];
  const answered = [...messages, { role: 'assistant', content: 'A cat.' }];
  const scored = { model: 'north', messages: answered, prompt_logprobs: 0, add_generation_prompt: false };
  const stream = { model: 'base', messages, stream: true, stream_options: { include_usage: true } };
  const bodies = [{ model: 'base', messages, ...settings }, scored, stream];
  return {
    port: Number(new URL(server.address).port),
    good: '/health',
    statuses: [401, 403, 404, 405, 415, 429],
    valid: [
      ...bodies.map((body) => ({
        ...{ method: 'POST', path: '/v1/chat/completions', headers: json },
        body: JSON.stringify(body),
      })),
      { method: 'GET', path: '/v1/models/north' },
      { method: 'GET', path: '/' },
      { method: 'GET', path: '/metrics' },
    ],
    check() {
      if (failures.length > 0) throw failures[0];
    },
    close: () => server.close(0),
  };
});

export const serverTargets: readonly FuzzTarget[] = [review, dataReview, health, teacher, codec, model];
