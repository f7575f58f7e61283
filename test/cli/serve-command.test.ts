/** `dataengine serve` as a person starts it: a process, its model in another one, and a client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import OpenAI from 'openai';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { processStartTime } from '../../src/core/process-identity.ts';
import { writeAdapter } from '../../src/model/files/adapter.ts';
import type { ChatTurn, Engine } from '../../src/serving/engine.ts';
import { startEngine } from '../../src/serving/start-engine.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyModel, writeTinyQuestions } from '../helpers/tiny-model.ts';
import { torchIsSetUp } from '../trainer/torch/torch-jobs.ts';
import { printedBy } from './in-this-process.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const key = 'a-key-of-this-server';
let model: string;
let north: string;
let image: Buffer;

/** An adapter that changes what a tiny model says. */
async function writeNorth(directory: string): Promise<void> {
  const module = 'language_model.model.layers.0.self_attn.q_proj';
  const rows = (count: number) => Float32Array.from({ length: count }, (_, place) => ((place * 37) % 17) - 8);
  await writeAdapter(directory, {
    config: { r: 4, lora_alpha: 64, target_modules: ['q_proj'] },
    tensors: new Map([[module, { A: { shape: [4, 32], data: rows(128) }, B: { shape: [32, 4], data: rows(128) } }]]),
  });
}

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'serve-command-'));
  [model, north] = [join(folder, 'tiny'), join(folder, 'north')];
  await writeTinyModel(model, { family: 'llava' });
  await writeNorth(north);
  const { images } = await writeTinyQuestions(folder, 2);
  const [file] = (await readdir(images)).filter((name) => name.endsWith('.jpg')).sort();
  image = await readFile(join(images, file as string));
  return () => rm(folder, { recursive: true, force: true });
});

interface Served {
  child: ChildProcess;
  address: string;
  client: OpenAI;
  /** The process of the model. */
  engine: number;
  output(): string;
  /** Its exit code, or the signal that ended it. */
  ended: Promise<unknown>;
}

async function serve(...options: string[]): Promise<Served> {
  const command = ['--import', 'tsx', 'cli/main.ts', 'serve', model, '--adapter', `north=${north}`, '--port', '0'];
  const child = spawn(process.execPath, [...command, '--api-key-variable', 'SERVED_WITH', ...options], {
    // What a killed server leaves there goes with the test.
    env: { ...process.env, SERVED_WITH: key, TMPDIR: await temporaryFolder() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece) => {
      output += piece;
    });
  }
  for await (const line of createInterface({ input: child.stdout })) {
    const [, address] = /^Serving \w+, north at (\S+)v1, a page at \1$/.exec(line) ?? [];
    if (address === undefined) continue;
    const client = new OpenAI({ baseURL: `${address}v1`, apiKey: key, maxRetries: 0 });
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
    const all = children.trim().split(/\s+/).map(Number);
    const started = await Promise.all(all.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
    const engine = all[started.findIndex((text) => text.includes('serving'))] as number;
    return { child, address, client, engine, ended, output: () => output };
  }
  throw new Error(output);
}

const isGone = async (pid: number) => (await processStartTime(pid)) === undefined;
const question = 'What is it?';
const shown = () => [
  {
    role: 'user' as const,
    content: [
      { type: 'image_url' as const, image_url: { url: `data:image/jpeg;base64,${image.toString('base64')}` } },
      { type: 'text' as const, text: question },
    ],
  },
];

describe.skipIf(process.platform !== 'linux')('a server with a tiny model', () => {
  let direct: Engine;

  beforeAll(async () => {
    direct = await startEngine({ model, name: 'tiny', adapters: { north } });
    return () => direct.close();
  });

  const turns: ChatTurn[] = [
    {
      role: 'user',
      content: [
        {
          type: 'image',
          get image() {
            return image;
          },
        },
        { type: 'text', text: question },
      ],
    },
  ];

  async function said(name: string): Promise<string> {
    let text = '';
    const settings = { maxTokens: 12, temperature: 0, topP: 1, stop: [], seed: 0 };
    for await (const token of direct.generate({ model: name, turns, ...settings })) text += token.text;
    return text;
  }

  test('answers as its engine does, whole and in pieces, by the model and by an adapter', async () => {
    const { client, address, output, child, engine } = await serve();
    const ask = { messages: shown(), temperature: 0, max_tokens: 12 };
    const expected = { tiny: await said('tiny'), north: await said('north') };
    expect(expected.tiny).not.toBe(expected.north);
    for (const [name, text] of Object.entries(expected)) {
      const { choices } = await client.chat.completions.create({ ...ask, model: name });
      expect(choices[0]?.message.content).toBe(text);
      const stream = client.chat.completions.stream({ ...ask, model: name });
      expect((await stream.finalChatCompletion()).choices[0]?.message.content).toBe(text);
    }
    const both = ['tiny', 'north', 'tiny', 'north'].map((name) =>
      client.chat.completions.create({ ...ask, model: name }),
    );
    const together = (await Promise.all(both)).map(({ choices }) => choices[0]?.message.content);
    expect(together).toEqual([expected.tiny, expected.north, expected.tiny, expected.north]);

    const answered = [...turns, { role: 'assistant' as const, content: [{ type: 'text' as const, text: 'a cat' }] }];
    for (const openEnd of [true, false]) {
      const { logprobs, ids } = await direct.promptLogprobs({ model: 'tiny', turns: answered, openEnd });
      const scored = { prompt_logprobs: 0, add_generation_prompt: false, continue_final_message: openEnd };
      const response = (await client.chat.completions.create({
        ...{ model: 'tiny', max_tokens: 1, ...scored },
        messages: [...shown(), { role: 'assistant', content: 'a cat' }],
      })) as unknown as { prompt_logprobs: (Record<string, { logprob: number }> | null)[] };
      const found = response.prompt_logprobs.map((token, place) => token?.[String(ids[place])]?.logprob ?? null);
      expect(found).toEqual(logprobs);
    }

    expect(await (await fetch(address)).text()).toContain('<title>Ask a model</title>');
    expect((await fetch(`${address}v1/models`)).status).toBe(401);
    expect(output()).not.toContain(key);
    expect(await readFile(`/proc/${engine}/environ`, 'utf8')).not.toContain(key);
    child.kill('SIGTERM');
  });

  test("answers health checks while it computes, and refuses what its model can't take", async () => {
    const { client, address, output } = await serve('--max-answers', '4', '--name', 'demo');
    expect(output()).toContain('Serving demo, north at ');
    const running = client.chat.completions.create({
      model: 'demo',
      messages: shown(),
      max_tokens: 300,
      n: 4,
      temperature: 2,
    });
    const times: number[] = [];
    let isDone = false;
    const done = running.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      const start = performance.now();
      expect((await fetch(`${address}health`)).status).toBe(200);
      times.push(performance.now() - start);
    }
    expect((await done).choices).toHaveLength(4);
    expect(times.length).toBeGreaterThan(10);
    expect(times.sort((left, right) => left - right)[Math.floor(times.length / 2)]).toBeLessThan(200);
    const long = { role: 'user' as const, content: 'word '.repeat(3000) };
    await expect(client.chat.completions.create({ model: 'demo', messages: [long] })).rejects.toMatchObject({
      status: 400,
    });
    const wrong = [...shown(), { role: 'user' as const, content: 'And?' }];
    await expect(client.chat.completions.create({ model: 'demo', messages: wrong })).rejects.toMatchObject({
      status: 400,
      param: 'messages[1]',
    });
  });

  test.skipIf(!torchIsSetUp)('serves by PyTorch where the option says so', async () => {
    const { client } = await serve('--engine', 'torch');
    for (const name of ['tiny', 'north']) {
      const { choices } = await client.chat.completions.create({
        ...{ model: name, messages: shown(), temperature: 0, max_tokens: 12 },
      });
      expect(choices[0]?.message.content).toBe(await said(name));
    }
  });

  test('ends at SIGTERM when what is under way has ended, and so does its model', async () => {
    const { child, client, engine, ended } = await serve();
    const stream = await client.chat.completions.create({
      ...{ model: 'tiny', messages: shown(), max_tokens: 60, temperature: 2, seed: 4, stream: true },
    });
    let pieces = 0;
    let finish: string | null | undefined;
    for await (const { choices } of stream) {
      if (pieces === 0) child.kill('SIGTERM');
      pieces += 1;
      finish = choices[0]?.finish_reason ?? finish;
    }
    expect(finish).toMatch(/^(stop|length)$/);
    expect(await ended).toBe(0);
    await expect.poll(() => isGone(engine), { timeout: 10_000 }).toBe(true);
  });

  test('cancels what is left after the grace', async () => {
    const { child, client, address, engine, ended } = await serve('--grace', '0');
    const running = client.chat.completions.create({
      model: 'tiny',
      messages: shown(),
      max_tokens: 400,
      n: 8,
      temperature: 2,
    });
    const failure = running.catch((error: unknown) => error);
    const metrics = async () => (await fetch(`${address}metrics`)).text();
    await expect.poll(metrics, { interval: 5, timeout: 30_000 }).toContain('completion_tokens_total{');
    child.kill('SIGTERM');
    expect(await failure).toMatchObject({ status: 503, code: 'stopping' });
    expect(await ended).toBe(0);
    await expect.poll(() => isGone(engine), { timeout: 10_000 }).toBe(true);
  });

  test('leaves no process behind when it is killed', async () => {
    const { child, engine, ended } = await serve();
    expect(await isGone(engine)).toBe(false);
    child.kill('SIGKILL');
    await ended;
    await expect.poll(() => isGone(engine), { timeout: 10_000 }).toBe(true);
  });

  test('says so when its model has died', async () => {
    const { address, client, engine, output } = await serve();
    process.kill(engine, 'SIGKILL');
    await expect.poll(() => isGone(engine), { timeout: 10_000 }).toBe(true);
    const ask = client.chat.completions.create({ model: 'tiny', messages: shown() });
    await expect(ask).rejects.toMatchObject({ status: 500, code: 'failed' });
    expect((await fetch(`${address}health`)).status).toBe(503);
    expect(output()).toContain('was ended by SIGKILL');
    const later = client.chat.completions.create({ model: 'tiny', messages: shown() });
    await expect(later).rejects.toMatchObject({ status: 503, code: 'engine_ended', message: /Start the server again/ });
    // Once, and without a stack.
    expect(output().match(/SIGKILL/g)).toHaveLength(1);
    expect(output()).not.toMatch(/^ +at /m);
  });
});

describe('what is refused', () => {
  test.each([
    [
      'a host that others reach, without a key',
      ['--host', '0.0.0.0'],
      /--host: 0\.0\.0\.0 may be reached by other machines/,
    ],
    [
      'two keys',
      ['--api-key-variable', 'A', '--api-key-file', 'b'],
      /--api-key-file: is given beside --api-key-variable/,
    ],
    ['a variable that is not set', ['--api-key-variable', 'NOT_SET_AT_ALL'], /NOT_SET_AT_ALL holds no key/],
    ['a file that is not there', ['--api-key-file', '/no/such/file'], /--api-key-file: can't be read \(ENOENT\)/],
  ])('%s', async (_, options, problem) => {
    await expect(printedBy('serve', 'nothing', ...options)).rejects.toThrow(problem);
  });

  test('a key file with more than a key is not quoted', async () => {
    const file = join(await temporaryFolder(), 'key');
    await writeFile(file, `${key} and more\n`);
    const error = await printedBy('serve', 'nothing', '--api-key-file', file).catch((failure: unknown) => failure);
    expect(String(error)).toMatch(/holds more than one word/);
    expect(String(error)).not.toContain(key);
  });

  test('an address that is taken, before a model is loaded', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const written: string[] = [];
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    await expect(printedBy('serve', model, '--port', String(port))).rejects.toThrow(/can't be listened on/);
    spy.mockRestore();
    expect(written).toEqual([]);
  });

  test('a model or an adapter that is none', async () => {
    await expect(printedBy('serve', '/no/such/model')).rejects.toThrow(/does not exist/);
    await expect(printedBy('serve', model, '--adapter', `north=${model}`, '--port', '0')).rejects.toThrow(
      /adapter_config\.json/,
    );
    await expect(printedBy('serve', model, '--adapter', `tiny=${north}`, '--port', '0')).rejects.toThrow(/tiny/);
  });

  test.each([
    [['--adapter', 'north'], /Give name=folder/],
    [['--adapter', 'north,south=a'], /name without a comma/],
    [['--adapter', 'a=b', '--adapter', 'a=c'], /two adapters a/],
    [['--port', '-1'], /at least 0/],
    [['--port', '70000'], /at most 65535/],
    [['--engine', 'jax'], /Allowed choices are tensorflow, torch/],
  ])('%j', async (options, problem) => {
    const written: string[] = [];
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    await expect(printedBy('serve', 'nothing', ...options)).rejects.toThrow();
    spy.mockRestore();
    expect(written.join('')).toMatch(problem);
  });
});
