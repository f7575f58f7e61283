/** A server with a tiny model that is sent what it must not take, a thousand times: it answers each, and still serves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyModel } from '../helpers/tiny-model.ts';
import { question } from './serve-words.ts';

const json = { 'content-type': 'application/json' };

/** The head of a PNG that claims so many pixels. */
async function claiming(width: number, height: number): Promise<Buffer> {
  const image = await sharp({ create: { width: 1, height: 1, channels: 3, background: '#fff' } })
    .png()
    .toBuffer();
  image.writeUInt32BE(width, 16);
  image.writeUInt32BE(height, 20);
  return image;
}

const showing = (image: Buffer, rest: object = {}) => ({
  ...rest,
  model: 'base',
  messages: [
    {
      role: 'user',
      content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${image.toString('base64')}` } }],
    },
  ],
});

/** Sends a part of a request, or reads a part of an answer, and is gone. */
async function cut(address: string, body: string, answered: boolean): Promise<string> {
  const { port } = new URL(address);
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => undefined);
  const length = answered ? body.length : body.length + 1000;
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json`;
  socket.write(`${head}\r\ncontent-length: ${length}\r\n\r\n${body}`);
  await (answered ? once(socket, 'data') : sleep(5));
  socket.destroy();
  return 'cut';
}

test('clear errors, memory at most 1.05 of that after the first 100, still serving', {
  timeout: 300_000,
}, async (context) => {
  if (process.platform !== 'linux') context.skip('resident memory is compared on Linux');
  const model = join(await temporaryFolder(), 'base');
  await writeTinyModel(model);
  const limits = ['--max-body-mib', '4', '--max-image-megapixels', '4', '--max-tokens', '8', '--port', '0'];
  const child = spawn(process.execPath, ['--import', 'tsx', 'cli/main.ts', 'serve', model, ...limits], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [, address] = / a page at (\S+)$/.exec(line) as unknown as [string, string];
  const pids = [
    child.pid,
    ...(await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).trim().split(/\s+/),
  ];
  /** Of the server and of its model's process, in kilobytes; what is freed is not given back at once. */
  const memory = async (): Promise<number> => {
    const found: number[] = [];
    for (let time = 0; time < 10; time += 1) {
      const statuses = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')));
      const each = statuses.map((status) => Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
      found.push(each.reduce((sum, bytes) => sum + bytes, 0));
      await sleep(300);
    }
    return Math.min(...found);
  };
  const post = async (body: string | object): Promise<string> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${address}v1/chat/completions`, { method: 'POST', headers: json, body: text });
    const answer = await response.text();
    return response.status === 200
      ? '200'
      : ((JSON.parse(answer) as { error: { code: string | null } }).error.code ?? '400');
  };
  const noise = Buffer.alloc(1000 * 1000 * 3, 'noise of some length');
  const photo = await sharp(noise, { raw: { width: 1000, height: 1000, channels: 3 } })
    .png()
    .toBuffer();
  const huge = await claiming(60_000, 60_000);
  const large = await sharp({ create: { width: 3000, height: 3000, channels: 3, background: '#357' } })
    .png()
    .toBuffer();
  const requests: [string, () => Promise<string>][] = [
    ['400', () => post('{"model": "base", "messages": [')],
    ['400', () => post('['.repeat(200_000))],
    ['unsupported_parameter', () => post({ ...question('a'), [`x${'y'.repeat(100_000)}`]: 1 })],
    ['request_too_large', () => post(question('a'.repeat(5_000_000)))],
    ['invalid_image', () => post(showing(huge))],
    ['image_too_large', () => post(showing(large))],
    ['invalid_image', () => post(showing(photo.subarray(0, photo.length / 2)))],
    ['200', () => post(showing(photo))],
    ['cut', () => cut(address, JSON.stringify(question('a'.repeat(100_000))).slice(0, -9), false)],
    ['cut', () => cut(address, JSON.stringify(showing(photo, { stream: true })), true)],
  ];
  const outcomes = new Set<string>();
  const send = async (from: number, to: number) => {
    for (let start = from; start < to; start += requests.length) {
      const answers = await Promise.all(requests.map(([, ask]) => ask()));
      outcomes.add(answers.join());
    }
  };
  await send(0, 100);
  const early = await memory();
  await send(100, 1000);
  const late = await memory();
  expect([...outcomes]).toEqual([requests.map(([outcome]) => outcome).join()]);
  expect(late / early).toBeLessThanOrEqual(1.05);
  expect(await post(question('a'))).toBe('200');
  await expect
    .poll(async () => ((await (await fetch(`${address}health`)).json()) as { answers: number }).answers)
    .toBe(0);
});
