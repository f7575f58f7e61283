import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { readRequestBody } from '../../src/core/request-body.ts';

/** A server that takes bodies of at most 1000 bytes, and says how many it got. */
async function server(): Promise<number> {
  const http = createServer(async (request, response) => {
    const body = await readRequestBody(request, 1000).catch(() => undefined);
    response.writeHead(body === undefined ? 413 : 200).end(String(body?.length));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void http.close());
  await once(http, 'listening');
  return (http.address() as AddressInfo).port;
}

test('a body up to the limit is read whole', async () => {
  const port = await server();
  for (const [bytes, status] of [
    [0, 200],
    [1000, 200],
    [1001, 413],
    [500_000, 413],
  ] as const) {
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: 'x'.repeat(bytes) });
    expect(response.status).toBe(status);
    if (status === 200) expect(await response.text()).toBe(String(bytes));
  }
});

test('a client that sends without end is answered, no longer read, and left', async () => {
  const socket = connect(await server(), '127.0.0.1');
  let answer = '';
  socket.on('data', (piece) => {
    answer += piece;
  });
  socket.on('error', () => undefined);
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const send = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', send);
  send();
  await new Promise((resolve) => socket.once('close', resolve));
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  // What the buffers of the connection took, of an endless body.
  expect(socket.bytesWritten).toBeLessThan(64e6);
});
