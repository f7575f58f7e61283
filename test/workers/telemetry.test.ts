/**
 * What a worker reports of itself, read as a scraper, an orchestrator and a collector would.
 */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { expect, onTestFinished, test, vi } from 'vitest';
import { toActivityFailure } from '../../activities/errors.ts';
import { createGpuActivities } from '../../activities/gpu.ts';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';
import { freePorts } from '../../src/core/free-ports.ts';
import { InputError } from '../../src/core/input-error.ts';
import { typescriptTrainer } from '../../src/trainer/supervisor/trainer-command.ts';
import { watchGpuMemory } from '../../workers/gpu-memory.ts';
import { serveHealth } from '../../workers/health.ts';
import { installTelemetry, logLine, openTraces } from '../../workers/telemetry.ts';
import { workflowsPath } from '../../workers/worker-flags.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';
import { until } from '../workflows/until.ts';
import { cpuAndTeacherActivities, dependencies } from '../workflows/worker-activities.ts';

test('metrics, health and traces of a run', async () => {
  const received: string[] = [];
  const collector = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      received.push(Buffer.concat(parts).toString('utf8'));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void collector.close());
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  onTestFinished(() => void delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT);

  const [metricsPort] = await freePorts(1);
  installTelemetry({ logFormat: 'json', metricsAddress: `127.0.0.1:${metricsPort}` });
  const traces = openTraces('test-worker');
  const path = await temporalExecutable();
  const temporal = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path } },
  });
  onTestFinished(() => temporal.teardown());
  const configFile = await writeTinyRun(await temporaryFolder(), (config) => ({
    ...config,
    rounds: 1,
    temporal: { ...config.temporal, taskQueues: { cpu: 'telemetry', gpu: 'telemetry', teacher: 'telemetry' } },
  }));
  const worker = await Worker.create({
    connection: temporal.nativeConnection,
    taskQueue: 'telemetry',
    workflowsPath,
    activities: {
      ...cpuAndTeacherActivities(),
      ...createGpuActivities({ ...dependencies, trainer: typescriptTrainer(pretendTrainerEntry) }),
    },
    plugins: traces && [traces.plugin],
  });
  const stopWatching = await withNvidiaSmi('0, 1024, 81920', () => watchGpuMemory());
  onTestFinished(stopWatching);
  const health = await serveHealth([{ worker, slots: 100 }], { port: 0 });
  const ask = () => fetch(`http://127.0.0.1:${health.port}/healthz`);
  expect((await ask()).status).toBe(503);
  await worker.runUntil(async () => {
    await temporal.client.workflow.execute('dataEngine', {
      taskQueue: 'telemetry',
      workflowId: 'telemetry',
      args: [{ config: configFile }],
    });
    // A workflow is over for its caller a moment before it is for its worker.
    await vi.waitFor(async () => {
      const answer = await ask();
      expect([answer.status, await answer.json()]).toEqual([200, { state: 'RUNNING', activities: 0, workflows: 0 }]);
    });
  });
  await health.close();
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(metrics).toMatch(/temporal_activity_execution_latency_count\{[^}]*activity_type="finetune"/);
  const figure = (name: string, label: string) =>
    Number(new RegExp(`^${name}\\{[^}]*${label}[^}]*\\} (\\S+)$`, 'm').exec(metrics)?.[1]);
  expect(figure('dataengine_step_seconds_count', 'activityType="finetune"')).toBe(2);
  expect(figure('dataengine_step_seconds_bucket', 'activityType="finetune".*le="3600"')).toBe(2);
  expect(figure('dataengine_loss', 'activityType="finetune"')).toBeGreaterThan(0);
  expect(figure('dataengine_spend_millionths', 'activityType="askChunk"')).toBeGreaterThan(0);
  expect(figure('dataengine_gpu_memory_used_bytes', 'gpu="0"')).toBe(2 ** 30);
  expect(figure('dataengine_gpu_memory_bytes', 'gpu="0"')).toBe(80 * 2 ** 30);
  await traces?.close();
  await until(() => received.length > 0);
  const spans = received.join('\n');
  for (const name of ['RunWorkflow:dataEngine', 'StartChildWorkflow:dataEngineRound', 'RunActivity:finetune']) {
    expect(spans).toContain(name);
  }
  expect(spans).toContain('test-worker');
});

/** Does the work while `nvidia-smi` is a program that prints this. */
async function withNvidiaSmi<R>(line: string, work: () => Promise<R>): Promise<R> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'nvidia-smi'), `#!/bin/sh\necho '${line}'\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
  try {
    return await work();
  } finally {
    vi.unstubAllEnvs();
  }
}

test('a log line in JSON has run and round beside time, level and message', () => {
  const meta = { run: 'nightly', round: 2, activityType: 'finetune', error: new Error('broken') };
  const line = logLine('json', { level: 'INFO', message: 'step done', timestampNanos: 0n, meta });
  expect(JSON.parse(line)).toMatchObject({
    ...{ run: 'nightly', round: 2, activityType: 'finetune' },
    ...{ time: '1970-01-01T00:00:00.000Z', level: 'INFO', message: 'step done' },
    error: expect.stringContaining('Error: broken'),
  });
});

test('a line about a failed workflow has its error and the causes, which alone have words', () => {
  const cause = Object.assign(new Error('the disk is full'), { stack: '' });
  const error = Object.assign(new Error('Activity task failed', { cause }), { stack: '' });
  const line = logLine('text', { level: 'WARN', timestampNanos: 0n, message: 'Workflow failed', meta: { error } });
  expect(line).toContain('Error: Activity task failed');
  expect(line).toContain('caused by Error: the disk is full');
});

test('wrong input is logged without a stack, also where a workflow failed of it', () => {
  const wrong = new InputError({ file: 'a.yaml', field: 'run', problem: 'is no name', remedy: 'Give a name' });
  const failure = toActivityFailure(wrong) as Error;
  const error = Object.assign(new Error('Activity task failed', { cause: failure }), { stack: '' });
  const line = logLine('text', { level: 'WARN', timestampNanos: 0n, message: 'Workflow failed', meta: { error } });
  expect(line).toContain('caused by InputError: a.yaml: run: is no name. Give a name"');
  expect(line).not.toContain('    at ');
});
