/**
 * `npm run peers:llama-cpp`: our client and `evaluate --endpoint` against the real server of llama.cpp, which nobody here wrote. Text
 * alone. The server and a model come from elsewhere (docs/endpoints.md says from where). `--record FILE` keeps what it
 * answered, for the tests that run without it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { endingWithUs } from '../demo/command/child-process.ts';
import { freePorts } from '../src/core/free-ports.ts';
import { usualWorkerSettings } from '../src/core/worker-settings.ts';
import { writeJson } from '../src/core/write-file.ts';
import { evaluateEndpoint } from '../src/round/evaluate/evaluate-endpoint.ts';

const { values } = parseArgs({
  options: {
    server: { type: 'string' },
    model: { type: 'string' },
    url: { type: 'string' },
    record: { type: 'string' },
    questions: { type: 'string', default: '12' },
  },
});

const question = [{ role: 'user', content: 'What is the capital of France? Answer with one word.' }];
const open = [...question, { role: 'assistant', content: 'The answer is' }];
const greedy = { model: 'any', temperature: 0, top_p: 1, seed: 0, max_tokens: 3 };
const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };

/** Requests as our client sends them, and what it must tell apart. */
const requests: Readonly<Record<string, object>> = {
  written: { ...greedy, messages: question },
  logprobs: { ...greedy, messages: question, logprobs: true, top_logprobs: 2 },
  scored: { ...greedy, messages: open, prompt_logprobs: 0, add_generation_prompt: false, continue_final_message: true },
  tooLong: { ...greedy, messages: [{ role: 'user', content: 'long '.repeat(20_000) }] },
  wrongType: { ...greedy, messages: question, temperature: 'hot' },
  image: { ...greedy, messages: [{ role: 'user', content: [image, { type: 'text', text: 'What is it?' }] }] },
};

const folder = await mkdtemp(join(tmpdir(), 'llama-cpp-'));
const started: ChildProcess[] = [];
try {
  const url = values.url ?? (await startServer());
  const recorded: Record<string, unknown> = { models: await asked(`${url}/models`) };
  for (const [name, body] of Object.entries(requests)) recorded[name] = await asked(`${url}/chat/completions`, body);
  if (values.record !== undefined) await writeJson(values.record, recorded);
  const limit = Number(values.questions);
  const { scores } = await evaluateEndpoint({
    set: {
      ...{ name: 'mmstar', benchmark: 'mmstar', file: 'test/fixtures/benchmarks/mmstar/mmstar.jsonl' },
      // Blind: no image is opened.
      images: 'test/fixtures/benchmarks/mmstar',
      ...{ limit, blind: true, answerMode: 'ranked' },
    },
    endpoint: { url, model: 'any', requestTimeoutSeconds: 300 },
    output: folder,
    exif: 'apply',
    concurrency: 1,
    limits: {},
    bootstrap: { samples: 100, seed: 1 },
    access: usualWorkerSettings(),
    onProgress: ({ step, steps }) => process.stderr.write(`${step} of ${steps}\n`),
    signal: new AbortController().signal,
  });
  const { ranking, questions, unanswered, endpoint } = scores;
  const result = { bench: 'llama-cpp', ranking, questions, unanswered, fingerprint: endpoint?.fingerprint };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  for (const child of started) child.kill();
  await rm(folder, { recursive: true, force: true });
}

/** Starts the server, which ends with this process. @returns its URL */
async function startServer(): Promise<string> {
  const { server, model } = values;
  if (server === undefined || model === undefined) {
    throw new Error('Name llama-server with --server and a GGUF file with --model, or a running server with --url');
  }
  const [port] = await freePorts(1);
  const command = endingWithUs(server, ['-m', model, '--host', '127.0.0.1', '--port', String(port)]);
  const child = spawn(command.program, command.arguments, {
    env: { ...process.env, LD_LIBRARY_PATH: dirname(server) },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  started.push(child);
  const failed = once(child, 'exit').then(() => Promise.reject(new Error('llama-server ended')));
  failed.catch(() => undefined);
  const isUp = async () => (await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined))?.ok === true;
  while (!(await Promise.race([isUp(), failed]))) await Promise.race([wait(500), failed]);
  return `http://127.0.0.1:${port}/v1`;
}

async function asked(url: string, body?: object): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, {
    ...(body && { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: await response.json() };
}
