/**
 * A teacher that gives no answers, in a run on a real server, with real requests over HTTP: what is said of it, and what
 * follows.
 */
import { createServer, Server as HttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createPlainServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { rootCause } from '../../cli/failures.ts';
import { createLineRenderer } from '../../cli/watch/lines.ts';
import { type RunView, readRunView } from '../../cli/watch/run-view.ts';
import { startLocalTeacher } from '../../demo/local-teacher/server.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { registerSearchAttributes } from '../../workers/search-attributes.ts';
import type { RunPlan } from '../../workflows/inputs.ts';
import type { DataEngineProgress, GenerationProgress, RoundProgress } from '../../workflows/messages.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { planOn } from './histories/scenarios.ts';
import { until } from './until.ts';
import { cpuAndTeacherActivities } from './worker-activities.ts';

let environment: WorkflowTestEnvironment;
beforeAll(async () => {
  environment = await startEnvironment();
  await registerSearchAttributes(environment.temporal.nativeConnection, 'default');
}, 300_000);
afterAll(() => environment?.temporal.teardown());

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    if (server instanceof HttpServer) server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const overHttp = async (answer: RequestListener) => `http://127.0.0.1:${await listening(createServer(answer))}/v1`;

/** A server that gives every request the same, and closes the connection. */
const giving = (status: number, type: string, body: string) =>
  overHttp((_, response) => {
    response.writeHead(status, { 'content-type': type, connection: 'close' }).end(body);
  });

const loginPage = '<!doctype html><html><body><h1>Sign in to continue</h1></body></html>';

interface Started {
  run: WorkflowHandle;
  round: WorkflowHandle;
  generation: WorkflowHandle;
}

/** A run whose first round asks a real teacher; the other steps do no work. */
async function withRun(
  name: string,
  baseUrl: string,
  failedStep: RunPlan['failedStep'],
  work: (started: Started) => Promise<void>,
  more: Record<string, unknown> = {},
): Promise<void> {
  const settings = { model: 'gpt-4', concurrency: 2, chunkRequests: 10, baseUrl, ...more };
  const context = await writeGenerationRun(await temporaryFolder(), 6, settings);
  const plan = planOn(name, { directory: context.run.root, searchAttributes: true, failedStep });
  const { startGeneration, askChunk, submitBatch, checkBatch, collectBatch, finishGeneration } =
    cpuAndTeacherActivities();
  const asking = { startGeneration, askChunk, submitBatch, checkBatch, collectBatch, finishGeneration };
  const activities = { ...fakeActivities(plan, []), ...asking };
  const worker = await createWorker(environment, name, activities);
  const { workflow } = environment.temporal.client;
  await worker.runUntil(async () => {
    const args = [{ config: 'tiny.yaml' }];
    const run = await workflow.start('dataEngine', { taskQueue: name, workflowId: name, args });
    const [round, generation] = [
      workflow.getHandle(`${name}/round-1`),
      workflow.getHandle(`${name}/round-1/generation`),
    ];
    await work({ run, round, generation });
  });
}

const progressOf = (handle: WorkflowHandle) =>
  handle
    .query<
      Pick<DataEngineProgress, 'waiting' | 'teacher'> &
        Pick<RoundProgress, 'steps'> &
        Pick<GenerationProgress, 'problem'> & { state: string }
    >('progress')
    .catch(() => undefined);
const detailsOf = async (handle: WorkflowHandle) =>
  (await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata')).currentDetails ?? '';
const stateInSearch = async (handle: WorkflowHandle) => (await handle.describe()).searchAttributes.DataEngineState?.[0];

/** The lines of `dataengine watch` for a view. */
function linesOf(view: RunView): string[] {
  const lines: string[] = [];
  createLineRenderer({ log: (line) => void lines.push(line), show: () => undefined, stop: () => undefined })(view);
  return lines;
}

describe('a teacher that can never answer ends the run at once, in words that say why:', () => {
  test.each<[what: string, server: () => Promise<string>, words: RegExp]>([
    ['login-page', () => giving(200, 'text/html', loginPage), /web page.*Sign in to continue.*teacher\.baseUrl/],
    [
      'error-body',
      () => giving(200, 'application/json', '{"error":{"message":"no upstream is configured"}}'),
      /no upstream is configured/,
    ],
    ['empty-body', () => giving(200, 'application/json', ''), /not (?:a chat completion|whole JSON)/],
    [
      'no-tls',
      async () => (await giving(200, 'text/plain', 'hello')).replace('http:', 'https:'),
      /could not be reached.*(?:EPROTO|SSL).*teacher\.baseUrl/,
    ],
    [
      'tls-only',
      async () => {
        // It has no certificate: to be greeted is enough.
        const server = createTlsServer().on('tlsClientError', () => undefined);
        return `http://127.0.0.1:${await listening(server)}/v1`;
      },
      /could not be reached.*speaks TLS.*teacher\.baseUrl.*https:/,
    ],
    [
      'wrong-port',
      async () => {
        const server = createPlainServer((socket) => {
          socket
            .on('error', () => undefined)
            .resume()
            .end('SSH-2.0-OpenSSH_9.6\r\n');
        });
        return `http://127.0.0.1:${await listening(server)}/v1`;
      },
      /could not be reached.*check the port in teacher\.baseUrl/,
    ],
    [
      'redirect',
      () => overHttp((_, response) => void response.writeHead(302, { location: 'https://sso.example' }).end()),
      /status 302/,
    ],
  ])(
    '%s',
    async (name, server, words) => {
      await withRun(name, await server(), undefined, async ({ run, round }) => {
        const failure = rootCause(await run.result().catch((error: unknown) => error)) as Error;
        expect(failure.message).toMatch(words);
        expect((await progressOf(round))?.steps.at(-1)).toMatchObject({ name: 'generate', state: 'failed' });
        for (const handle of [run, round]) expect(await detailsOf(handle)).toMatch(words);
      });
    },
    60_000,
  );
});

describe('where failed steps wait,', () => {
  test('a hopeless teacher is waited for, and the step is done when it was mended', async () => {
    const teacher = await startLocalTeacher({ seed: 7 });
    onTestFinished(() => teacher.close());
    let isMended = false;
    const address = await overHttp(async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      if (!isMended) return void response.writeHead(200, { 'content-type': 'text/html' }).end(loginPage);
      const { authorization = '' } = request.headers;
      const headers = { 'content-type': 'application/json', authorization };
      const path = (request.url ?? '').replace(/^\/v1/, '');
      const answer = await fetch(teacher.baseUrl + path, { method: 'POST', headers, body: Buffer.concat(pieces) });
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    });
    await withRun('mended', address, { waitHours: 1 }, async ({ run, round }) => {
      await until(async () => (await progressOf(run))?.waiting !== undefined);
      expect((await progressOf(run))?.waiting).toMatchObject({
        step: 'generate',
        problem: expect.stringContaining('Sign in to continue'),
      });
      for (const handle of [run, round]) {
        expect(await detailsOf(handle)).toContain('Sign in to continue');
        expect(await stateInSearch(handle)).toBe('waiting');
      }
      expect(linesOf(await readRunView(environment.temporal.client, 'mended')).join('\n')).toMatch(
        /the step generate failed and waits for `dataengine retry-step\|give-up mended`: .*Sign in to continue/,
      );
      isMended = true;
      await run.executeUpdate('retryStep');
      await run.result();
      expect(teacher.counts()).toMatchObject({ answered: 6, repeated: 0 });
    });
  }, 60_000);

  test('it is waited for no longer than is said; then the run fails', async () => {
    const address = await giving(200, 'text/html', loginPage);
    await withRun('waited-for', address, { waitHours: 0.0003 }, async ({ run }) => {
      const failure = rootCause(await run.result().catch((error: unknown) => error)) as Error;
      expect(failure.message).toContain('Sign in to continue');
      const { events } = await run.fetchHistory();
      const signals = (events ?? []).map((event) => event.workflowExecutionSignaledEventAttributes?.signalName);
      expect(signals).toContain('reportRound');
    });
  }, 60_000);
});

test('a teacher that is away is said after three tries in generation, round, run and watch, until it answers', async () => {
  const [port = 0] = await freePorts(1);
  await withRun('away', `http://127.0.0.1:${port}/v1`, undefined, async ({ run, round, generation }) => {
    await until(async () => (await progressOf(run))?.state === 'no-teacher');
    const words = /ECONNREFUSED/;
    expect((await progressOf(run))?.teacher).toMatch(words);
    expect((await progressOf(generation))?.problem).toMatch(words);
    for (const handle of [run, round, generation])
      expect(await detailsOf(handle)).toMatch(
        /\*\*The teacher gives no answers\*\*, and is tried again: .*ECONNREFUSED/,
      );
    for (const handle of [run, round]) expect(await stateInSearch(handle)).toBe('no-teacher');
    expect(linesOf(await readRunView(environment.temporal.client, 'away')).join('\n')).toMatch(
      /the teacher gives no answers: .*ECONNREFUSED/,
    );
    const teacher = await startLocalTeacher({ seed: 7, port });
    onTestFinished(() => teacher.close());
    await until(async () => (await progressOf(run))?.state !== 'no-teacher');
    await run.result();
    for (const handle of [run, round]) {
      expect(await stateInSearch(handle)).toBe('completed');
      expect(await detailsOf(handle)).not.toContain('gives no answers');
    }
    const { events } = await round.fetchHistory();
    const reports = events?.filter((event) => event.workflowExecutionSignaledEventAttributes);
    expect(reports).toHaveLength(2);
  });
}, 120_000);

test('so is one that goes away while a batch is under way, until it can be asked for the batch again', async () => {
  let isAway = false;
  const teacher = await startLocalTeacher({ seed: 7, faults: { batches: { seconds: 1 } } });
  onTestFinished(() => teacher.close());
  const address = await overHttp(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const path = (request.url ?? '').replace(/^\/v1/, '');
    if (isAway) return void response.socket?.destroy();
    const { authorization = '', 'content-type': type = '' } = request.headers;
    const body = request.method === 'POST' ? { body: Buffer.concat(pieces) } : {};
    const headers = { authorization, ...(type !== '' && { 'content-type': type }) };
    const answer = await fetch(teacher.baseUrl + path, { method: request.method ?? 'GET', headers, ...body });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(Buffer.from(await answer.arrayBuffer()));
    // The batch is there, and not yet looked for.
    if (request.method === 'POST' && path === '/batches') isAway = true;
  });
  await withRun(
    'away-with-a-batch',
    address,
    undefined,
    async ({ run, round, generation }) => {
      await until(async () => (await progressOf(run))?.state === 'no-teacher');
      expect((await progressOf(generation))?.problem).toMatch(/ECONNRESET|socket hang up|terminated|other side closed/);
      for (const handle of [run, round, generation])
        expect(await detailsOf(handle)).toMatch(/\*\*The teacher gives no answers\*\*, and is tried again/);
      isAway = false;
      await run.result();
      for (const handle of [run, round]) expect(await detailsOf(handle)).not.toContain('gives no answers');
      expect((await progressOf(generation))?.problem).toBeUndefined();
    },
    { mode: 'batch' },
  );
}, 120_000);

test('a forged report of a teacher changes nothing', async () => {
  const [port = 0] = await freePorts(1);
  await withRun('forged', `http://127.0.0.1:${port}/v1`, undefined, async ({ run, round, generation }) => {
    await until(async () => (await progressOf(generation))?.state === 'asking');
    await round.signal('reportTeacher', { execution: 'forged', problem: 'send money' });
    await generation.signal('reportTeacher', { chunk: 17, problem: 'send money' });
    for (const handle of [round, generation]) {
      await until(async () => (await detailsOf(handle)).includes('that were refused, and changed nothing: 1.'));
      expect(await detailsOf(handle)).not.toContain('send money');
    }
    await run.cancel();
    await expect(run.result()).rejects.toThrow();
  });
}, 60_000);
