/** Against MLflow's own server, where it is installed: `pip install mlflow`, and MLFLOW names its program if it is not on the PATH. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startOwned } from '../../demo/command/child-process.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { mlflow } from '../../src/tracking/mlflow.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { until } from '../workflows/until.ts';
import { trackedRun } from './tracked.ts';

const program = process.env.MLFLOW ?? 'mlflow';
const isInstalled = await promisify(execFile)(program, ['--version']).then(
  () => true,
  () => false,
);
const notInstalled = 'needs MLflow: pip install mlflow, and name its program in MLFLOW';
const signal = new AbortController().signal;

async function startServer(): Promise<string> {
  const folder = await temporaryFolder();
  const [port] = await freePorts(1);
  const store = ['--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`, '--artifacts-destination', folder];
  const server = await startOwned({
    name: 'mlflow',
    program,
    arguments: ['server', '--host', '127.0.0.1', '--port', String(port), '--workers', '1', ...store],
    logFile: join(folder, 'server.log'),
    environment: {},
  });
  onTestFinished(() => server.stop());
  const address = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${address}/health`).catch(() => undefined))?.ok === true);
  return address;
}

async function ask(address: string, path: string, body?: object): Promise<never> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const headers = { 'content-type': 'application/json' };
  return (await fetch(`${address}/api/2.0/mlflow/${path}`, { ...init, headers })).json() as Promise<never>;
}

type Pairs = { key: string; value: unknown }[];
type RunInfo = { info: { run_id: string; status: string }; data: { metrics: Pairs; params: Pairs; tags: Pairs } };
const valueIn = (pairs: Pairs, key: string) => pairs.find((pair) => pair.key === key)?.value;

test('the loop is a run and each round a nested one, with curves, intervals, data and references', async (context) => {
  if (!isInstalled) context.skip(notInstalled);
  const address = await startServer();
  const place = { baseUrl: address, project: 'my loop', folder: '', signal };
  const run = trackedRun();
  const [first] = run.rounds;
  const before = await mlflow.send({ ...run, rounds: run.rounds.slice(0, 1) }, first ? [first] : [], {}, place);
  const ids = await mlflow.send(run, run.rounds.slice(1), before, place);
  expect(Object.keys(ids)).toEqual(['run', 'round-0', 'round-1']);
  expect(ids).toMatchObject(before);

  const { run: loop }: { run: RunInfo } = await ask(address, `runs/get?run_id=${ids.run}`);
  expect(loop.info.status).toBe('FINISHED');
  expect(valueIn(loop.data.params, 'finetune.lora.rank')).toBe('8');
  expect(valueIn(loop.data.params, '_valuer _')).toBe('true');
  expect(valueIn(loop.data.tags, 'dataengine.artifact.run')).toBe('/runs/nightly');
  const history: { metrics: { step: number; value: number }[] } = await ask(
    address,
    `metrics/get-history?run_id=${ids.run}&metric_key=validation.multipleChoice`,
  );
  expect(history.metrics.map(({ step, value }) => [step, value])).toEqual([
    [0, 0.6],
    [1, 0.7],
  ]);

  type Round = { run: RunInfo & { inputs: { dataset_inputs: { dataset: { digest: string; profile: string } }[] } } };
  const { run: round }: Round = await ask(address, `runs/get?run_id=${ids['round-1']}`);
  expect(valueIn(round.data.tags, 'mlflow.parentRunId')).toBe(ids.run);
  expect(valueIn(round.data.tags, 'dataengine.artifact.model')).toBe('/runs/nightly/round-1/merged');
  expect(valueIn(round.data.tags, 'decision')).toContain('accepted');
  for (const [name, value] of [
    ['.low', 0.55],
    ['.high', 0.65],
  ] as const) {
    expect(valueIn(round.data.metrics, `validation.multipleChoice${name}`)).toBe(value);
  }
  expect(round.inputs.dataset_inputs[0]?.dataset).toMatchObject({ digest: 'f'.repeat(36) });
  const losses: { metrics: { step: number; value: number }[] } = await ask(
    address,
    `metrics/get-history?run_id=${ids['round-1']}&metric_key=loss&max_results=5000`,
  );
  expect(losses.metrics).toHaveLength(1203);
  expect(losses.metrics.at(-1)).toMatchObject({ step: 1203, value: 2 / 1203 });

  // As after a sender that ended before it wrote the ids down.
  expect(await mlflow.send(run, run.rounds, {}, place)).toEqual(ids);
  const again: typeof losses = await ask(
    address,
    `metrics/get-history?run_id=${ids['round-1']}&metric_key=loss&max_results=5000`,
  );
  expect(again.metrics).toEqual(losses.metrics);
  const { experiments }: { experiments: { name: string }[] } = await ask(address, 'experiments/search', {
    max_results: 9,
  });
  expect(experiments.map(({ name }) => name).sort()).toEqual(['Default', 'my loop']);
});

/** A server with given answers. */
async function answering(status: number, body: string, headers: Record<string, string> = {}) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test.each([
  [
    403,
    '{"error_code":"PERMISSION_DENIED"}',
    /answered 403 to experiments\/search: \{"error_code":"PERMISSION_DENIED"\}/,
  ],
  [307, '', /answered 307 to experiments\/search/],
  [200, '<html>a login page</html>', /answered experiments\/search as no MLflow server does/],
])('an answer with status %s is an error with its words', async (status, body, words) => {
  const { baseUrl, asked } = await answering(status, body, { location: 'http://127.0.0.1:9/' });
  const sending = mlflow.send(trackedRun(), [], {}, { baseUrl, project: 'p', folder: '', key: 'token', signal });
  await expect(sending).rejects.toMatchObject({ name: 'TrackerError', message: expect.stringMatching(words) });
  expect(asked).toEqual(['Bearer token']);
});

test('a user and a password go as MLflow’s own sign-in takes them', async () => {
  const { baseUrl, asked } = await answering(401, '');
  const sending = mlflow.send(trackedRun(), [], {}, { baseUrl, project: 'p', folder: '', key: 'ann:secret', signal });
  await expect(sending).rejects.toThrow('answered 401');
  expect(asked).toEqual([`Basic ${Buffer.from('ann:secret').toString('base64')}`]);
});

test('a server that is not there is an error with its address and no key', async () => {
  const [port] = await freePorts(1);
  const place = { baseUrl: `http://127.0.0.1:${port}`, project: 'p', folder: '', key: 'a-secret', signal };
  await expect(mlflow.send(trackedRun(), [], {}, place)).rejects.toThrow(
    /^MLflow at http:\/\/127\.0\.0\.1:\d+ can't be reached \(ECONNREFUSED\)$/,
  );
});
