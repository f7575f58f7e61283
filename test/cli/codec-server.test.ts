import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CodecServer, serveCodec } from '../../cli/codec-server.ts';
import { parsePayloadKeys, payloadCodec } from '../../workers/payload-codec.ts';

const ui = 'http://localhost:8233';
let server: CodecServer;

beforeAll(async () => {
  const keys = parsePayloadKeys(`k1:${randomBytes(32).toString('base64')}`, 'keys');
  server = await serveCodec({ codec: payloadCodec(keys), port: 0, ui, namespace: 'default' });
});
afterAll(() => server.close());

const payload = { metadata: { encoding: btoa('json/plain') }, data: btoa('"a secret"') };
const usual = { 'content-type': 'application/json', 'x-namespace': 'default' };

interface Answer {
  status?: number;
  headers: NodeJS.Dict<string | string[]>;
  text: string;
}

function call(path: string, headers: object, body: string, method = 'POST'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${server.address}${path}`, { method, headers: { ...headers } }, (response) => {
      let text = '';
      response.on('data', (piece) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('it encrypts and decrypts, as the UI asks for it', async () => {
  const body = JSON.stringify({ payloads: [payload] });
  const encoded = await call('/encode', usual, body);
  expect(encoded.status).toBe(200);
  expect(JSON.parse(encoded.text).payloads[0].metadata['encryption-key-id']).toBe(btoa('k1'));
  expect(atob(JSON.parse(encoded.text).payloads[0].data)).not.toContain('secret');
  const decoded = await call('/decode', { ...usual, origin: ui }, encoded.text);
  expect(JSON.parse(decoded.text)).toEqual({ payloads: [payload] });
  expect(decoded.headers['access-control-allow-origin']).toBe(ui);
  const preflight = await call('/decode', { origin: ui }, '', 'OPTIONS');
  expect(preflight).toMatchObject({ status: 204, headers: { 'access-control-allow-methods': 'POST' } });
  expect(preflight.headers['access-control-allow-headers']).toContain('x-namespace');
});

const body = JSON.stringify({ payloads: [payload] });
test.each([
  ['another origin', '/decode', { ...usual, origin: 'https://evil.example' }, body, 403],
  ['a sandboxed page', '/decode', { ...usual, origin: 'null' }, body, 403],
  ['another host name', '/decode', { ...usual, host: 'evil.example:8234' }, body, 403],
  ['another namespace', '/decode', { ...usual, 'x-namespace': 'other' }, body, 403],
  ['no namespace', '/decode', { 'content-type': 'application/json' }, body, 403],
  ['a form of a page', '/decode', { ...usual, 'content-type': 'text/plain' }, body, 415],
  ['another path', '/', usual, body, 404],
  ['no JSON', '/decode', usual, '{', 400],
  ['no list', '/decode', usual, '{"payloads":5}', 400],
  ['no base64', '/decode', usual, '{"payloads":[{"data":"%"}]}', 400],
  ['a body without end', '/decode', usual, ' '.repeat(17 * 1024 * 1024), 413],
])('it refuses %s', async (_, path, headers, sent, status) => {
  const answer = await call(path, headers, sent);
  expect(answer.status).toBe(status);
  if (status === 403) expect(answer.headers['access-control-allow-origin']).not.toBe('*');
  expect(answer.text).not.toContain(payload.data);
});

const launcher = 'bin/dataengine.mjs';

test('the command serves with the key of the page until it is stopped, and without a key says what is missing', async () => {
  const { stdout } = await promisify(execFile)('bash', ['-c', 'echo "k1:$(openssl rand -base64 32)"']);
  const { DATAENGINE_PAYLOAD_KEY: _, ...bare } = process.env;
  const env = { ...bare, DATAENGINE_PAYLOAD_KEY: stdout.trim() };
  const child = spawn(process.execPath, [launcher, 'codec-server', '--port', '0'], {
    env,
    stdio: 'pipe',
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [, address] = /^Codec endpoint (http:\/\/127\.0\.0\.1:\d+) for the namespace default/.exec(`${line}`) ?? [];
  const response = await fetch(`${address}/encode`, { method: 'POST', headers: usual, body });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain(btoa('k1'));
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([0, null]);
  const failing = promisify(execFile)(process.execPath, [launcher, 'codec-server'], { env: bare });
  await expect(failing).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/DATAENGINE_PAYLOAD_KEY: is not set. Set it, or give --payload-key-file/),
  });
}, 60_000);

test('the error for an unknown key names it', async () => {
  const metadata = { encoding: btoa('binary/encrypted'), 'encryption-key-id': btoa('k9') };
  const answer = await call('/decode', usual, JSON.stringify({ payloads: [{ metadata, data: '' }] }));
  expect(answer).toMatchObject({ status: 422, text: expect.stringContaining('the key "k9", which is unknown') });
});
