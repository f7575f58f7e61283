/**
 * Every server that we start can be reached from this machine alone.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { processesInGroup } from '../../bench/support/processes.ts';
import { wordsEngine } from '../../bench/support/words-engine.ts';
import { serveCodec } from '../../cli/codec-server.ts';
import type { Review } from '../../cli/prompt-review/review.ts';
import { serveReview } from '../../cli/prompt-review/web.ts';
import { startTemporalServer } from '../../demo/command/temporal-server.ts';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { serveChat } from '../../src/serving/chat-server.ts';
import { serveHealth } from '../../workers/health.ts';
import { payloadCodec } from '../../workers/payload-codec.ts';
import { installTelemetry } from '../../workers/telemetry.ts';
import { listeningAddresses, noListening } from '../helpers/listening.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

test('listening sockets are found on every address', async (context) => {
  const server = createServer().listen(0, '0.0.0.0');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const addresses = (await listeningAddresses(process.pid)) ?? context.skip(noListening);
  expect(addresses).toEqual([`0.0.0.0:${(server.address() as AddressInfo).port}`]);
});

test('the local teacher, the review of prompts, the codec server, a server of a model, the health of a worker and its metrics', async (context) => {
  const before = (await listeningAddresses(process.pid)) ?? context.skip(noListening);
  expect(before).toEqual([]);
  const teacher = await startLocalTeacher();
  onTestFinished(() => teacher.close());
  const review = await serveReview({} as Review, { port: 0 });
  onTestFinished(() => review.close());
  const health = await serveHealth([], { port: 0 });
  onTestFinished(() => health.close());
  const codec = await serveCodec({ codec: payloadCodec(new Map()), port: 0, ui: 'http://localhost', namespace: 'n' });
  onTestFinished(() => codec.close());
  const model = await serveChat(wordsEngine(), {
    ...{ host: 'localhost', port: 0, mostAnswers: 1, bodyBytes: 1, imagePixels: 1, defaultMaxTokens: 1 },
    report: () => undefined,
  });
  onTestFinished(() => model.close(0));
  const [metricsPort] = (await freePorts(1)) as [number];
  installTelemetry({ metricsAddress: `127.0.0.1:${metricsPort}` });
  const ports = [teacher.port, Number(new URL(review.address).port), health.port, metricsPort];
  ports.push(...[codec, model].map(({ address }) => Number(new URL(address).port)));
  expect(await listeningAddresses(process.pid)).toEqual(ports.map((port) => `127.0.0.1:${port}`).sort());
});

test('the Temporal server of the demo, its UI and its inner services', async (context) => {
  const folder = await temporaryFolder();
  if ((await listeningAddresses(process.pid)) === undefined) context.skip(noListening);
  const server = await startTemporalServer(folder);
  onTestFinished(() => server.process.stop());
  const pids = await processesInGroup(server.process.pid);
  const addresses = (await Promise.all(pids.map(listeningAddresses))).flatMap((found) => found ?? []);
  expect(addresses).toContain(server.address);
  expect(addresses).toContain(server.ui.replace('http://', ''));
  expect(addresses.filter((address) => !address.startsWith('127.0.0.1:'))).toEqual([]);
});

test('no web page can start a workflow by the HTTP API of the demo server', async () => {
  const folder = await temporaryFolder();
  const server = await startTemporalServer(folder);
  onTestFinished(() => server.process.stop());
  const pids = await processesInGroup(server.process.pid);
  const addresses = (await Promise.all(pids.map(listeningAddresses))).flatMap((found) => found ?? []);
  // What a page may send without the server's consent: a text/plain post.
  const started = await Promise.all(
    addresses.map((address) =>
      fetch(`http://${address}/api/v1/namespaces/default/workflows/from-a-page`, {
        method: 'POST',
        headers: { 'content-type': 'text/plain', origin: 'https://evil.example' },
        body: JSON.stringify({ workflowType: { name: 'dataEngine' }, taskQueue: { name: 'data-engine' } }),
      }).then(
        ({ status }) => status,
        () => undefined,
      ),
    ),
  );
  expect(started).toContain(403);
  expect(started.filter((status) => status !== undefined && status < 400)).toEqual([]);
});
