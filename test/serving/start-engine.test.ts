/** The engine's own process: real processes, with a tiny model. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { processStartTime } from '../../src/core/process-identity.ts';
import { serveChat } from '../../src/serving/chat-server.ts';
import type { Engine, GenerationRequest } from '../../src/serving/engine.ts';
import { startEngine } from '../../src/serving/start-engine.ts';
import { openTensorflowEngine } from '../../src/serving/tensorflow/open-engine.ts';
import { fenceName } from '../../src/trainer/supervisor/fence.ts';
import { writeTinyModel, writeTinyQuestions } from '../helpers/tiny-model.ts';
import { torchIsSetUp } from '../trainer/torch/torch-jobs.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
let model: string;
let image: Buffer;
let engine: Engine;
const inFolder = (name: string) => path.join(folder, name);
const usual = { model: 'model', maxTokens: 8, temperature: 0, topP: 1, stop: [], seed: 1 };
const ask = (text: string, changes: Partial<GenerationRequest> = {}): GenerationRequest => ({
  ...usual,
  turns: [
    {
      role: 'user',
      content: [
        { type: 'image', image },
        { type: 'text', text },
      ],
    },
  ],
  ...changes,
});

async function textOf(from: Engine, request: GenerationRequest, signal?: AbortSignal): Promise<string> {
  let text = '';
  for await (const token of from.generate(request, signal)) text += token.text;
  return text;
}

const pidIn = async (directory: string): Promise<number> =>
  JSON.parse(await readFile(path.join(directory, fenceName), 'utf8')).pid;
const isGone = async (pid: number) => (await processStartTime(pid)) === undefined;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'serving-'));
  model = inFolder('model');
  await writeTinyModel(model);
  const { images } = await writeTinyQuestions(folder, 2);
  image = await readFile(
    path.join(images, (await readdir(images)).filter((name) => name.endsWith('.jpg')).sort()[0] as string),
  );
  engine = await startEngine({ model, slots: 2, directory: inFolder('own') });
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

test('answers as the engine within a process does, with images, several at once', async () => {
  const inside = await openTensorflowEngine({ kind: 'serve', model, name: 'model', adapters: {}, slots: 2 });
  const requests = ['What is it?', 'Where?', 'How many?', 'é 😀'].map((text) => ask(text, { topLogprobs: 2 }));
  const expected = await Promise.all(requests.map((request) => textOf(inside, request)));
  expect(await Promise.all(requests.map((request) => textOf(engine, request)))).toEqual(expected);
  const [{ turns }] = requests as [GenerationRequest];
  expect(await engine.promptLogprobs({ model: 'model', turns })).toEqual(
    await inside.promptLogprobs({ model: 'model', turns }),
  );
  await inside.close();
});

test('cancels what is aborted, and what nobody reads', async () => {
  const abort = new AbortController();
  const stream = engine.generate(ask('Tell', { maxTokens: 400, temperature: 5 }), abort.signal);
  await stream.next();
  abort.abort(new Error('enough'));
  await expect(
    (async () => {
      for await (const _ of stream);
    })(),
  ).rejects.toThrow('enough');
  for await (const _ of engine.generate(ask('Tell', { maxTokens: 400, temperature: 5 }))) break;
  await expect(textOf(engine, ask('x'), AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  expect(await textOf(engine, ask('What is it?'))).toBe(await textOf(engine, ask('What is it?')));
});

test('reports what is wrong with a request or a model as an input error', async () => {
  await expect(textOf(engine, ask('x', { model: 'other' }))).rejects.toMatchObject({
    name: 'InputError',
    field: 'model',
  });
  vi.stubEnv('TMPDIR', folder);
  const adapters = { wrong: inFolder('no-adapter') };
  await expect(startEngine({ model, adapters })).rejects.toMatchObject({ name: 'InputError' });
  await expect(startEngine({ model: inFolder('missing') })).rejects.toMatchObject({ name: 'InputError' });
  expect((await readdir(folder)).filter((name) => name.startsWith('dataengine-engine-'))).toEqual([]);
  vi.unstubAllEnvs();
});

test('when the process is killed, what is being answered fails, and later requests too', async () => {
  const directory = inFolder('killed');
  const other = await startEngine({ model, directory });
  const pid = await pidIn(directory);
  const server = await serveChat(other, {
    ...{ host: '127.0.0.1', port: 0, mostAnswers: 4, bodyBytes: 2 ** 20, imagePixels: 1e6, defaultMaxTokens: 8 },
    report: () => undefined,
  });
  const health = async () => (await fetch(`${server.address}health`)).status;
  expect(await health()).toBe(200);
  const answer = textOf(other, ask('Tell', { maxTokens: 400, temperature: 5 }));
  process.kill(pid, 'SIGKILL');
  await expect(answer).rejects.toMatchObject({ name: 'TrainerError', kind: 'crashed', message: /SIGKILL/ });
  // Before anything is asked through the server.
  expect(await health()).toBe(503);
  await expect(textOf(other, ask('x'))).rejects.toThrow('SIGKILL');
  await server.close(0);
  await other.close();
  expect(existsSync(path.join(directory, fenceName))).toBe(false);
});

/** A process that starts an engine in the folder, and does nothing else; with ANSWERING it has it write all the time. */
async function starter(directory = '', environment: NodeJS.ProcessEnv = {}): Promise<ChildProcess> {
  const program = inFolder('starter.mts');
  const source = path.resolve('src/serving/start-engine.ts');
  await writeFile(
    program,
    `import { startEngine } from ${JSON.stringify(source)};
const engine = await startEngine({ model: ${JSON.stringify(model)}, directory: process.argv[2] || undefined, engine: process.env.ENGINE });
const turns = [{ role: 'user', content: [{ type: 'text', text: 'Tell' }] }];
const request = { model: 'model', turns, maxTokens: 400, temperature: 5, topP: 1, stop: [], seed: 1 };
const write = async () => {
  for (;;) for await (const _ of engine.generate(request)) console.log('started');
};
if (process.env.ANSWERING) for (let at = 0; at < 4; at += 1) void write();
else console.log('started');
setInterval(() => undefined, 1000);`,
  );
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  for await (const line of createInterface({ input: child.stdout })) if (line === 'started') break;
  return child;
}

test('the process ends with the one that started it, however that ends', async () => {
  const directory = inFolder('orphan');
  const parent = await starter(directory);
  const pid = await pidIn(directory);
  expect(await isGone(pid)).toBe(false);
  parent.kill('SIGKILL');
  await vi.waitFor(async () => expect(await isGone(pid)).toBe(true), { timeout: 20_000, interval: 100 });
});

test.each([
  ['waits', {}],
  ['writes', { ANSWERING: 'yes' }],
])('a folder of its own is removed when the one that started it is killed while it %s', async (name, environment) => {
  const temporary = inFolder(`temporary-${name}`);
  await mkdir(temporary);
  const parent = await starter('', { TMPDIR: temporary, ...environment });
  const ownFolders = async () => (await readdir(temporary)).filter((name) => name.startsWith('dataengine-engine-'));
  expect(await ownFolders()).toHaveLength(1);
  parent.kill('SIGKILL');
  await vi.waitFor(async () => expect(await ownFolders()).toEqual([]), { timeout: 20_000, interval: 100 });
});

describe('folders of their own that killed engines left', () => {
  const names = async (temporary: string) =>
    (await readdir(temporary)).filter((name) => name.startsWith('dataengine-engine-')).sort();

  test('are removed at a later start; those of running engines and of other hosts stay', async () => {
    const temporary = inFolder('left');
    const startTime = (await processStartTime(process.pid)) as string;
    const fences = {
      gone: { host: hostname(), pid: process.pid, startTime: `${startTime}0` },
      running: { host: hostname(), pid: process.pid, startTime },
      elsewhere: { host: 'elsewhere', pid: process.pid, startTime: `${startTime}0` },
    };
    for (const [name, fence] of Object.entries(fences)) {
      await mkdir(path.join(temporary, `dataengine-engine-${name}`), { recursive: true });
      await writeFile(path.join(temporary, `dataengine-engine-${name}`, fenceName), JSON.stringify(fence));
    }
    await mkdir(path.join(temporary, 'dataengine-engine-starting'));
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    await (await startEngine({ model })).close();
    const left = ['elsewhere', 'running', 'starting'].map((name) => `dataengine-engine-${name}`);
    expect(await names(temporary)).toEqual(left);
  });

  test.skipIf(!torchIsSetUp)('on PyTorch too, whose process the system kills', async () => {
    const temporary = inFolder('left-by-torch');
    await mkdir(temporary);
    const parent = await starter('', { TMPDIR: temporary, ENGINE: 'torch' });
    const [name = ''] = await names(temporary);
    const pid = await pidIn(path.join(temporary, name));
    parent.kill('SIGKILL');
    await vi.waitFor(async () => expect(await isGone(pid)).toBe(true), { timeout: 20_000, interval: 100 });
    expect(await names(temporary)).toEqual([name]);
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    await (await startEngine({ model })).close();
    expect(await names(temporary)).toEqual([]);
  });
});

test('a later start in the same folder ends one that was left behind', async () => {
  const directory = inFolder('fenced');
  const parent = await starter(directory);
  const first = await pidIn(directory);
  const second = await startEngine({ model, directory });
  expect(await isGone(first)).toBe(true);
  expect(await pidIn(directory)).not.toBe(first);
  expect(await textOf(second, ask('What is it?'))).toBe(await textOf(engine, ask('What is it?')));
  await second.close();
  parent.kill('SIGKILL');
});
