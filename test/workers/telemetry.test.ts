/**
 * What a worker tells of itself, read by what would read it: a scraper, an orchestrator, a collector.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { expect, onTestFinished, test, vi } from 'vitest';
import { freePorts } from '../../cli/demo/free-port.ts';
import { temporalExecutable } from '../../cli/temporal-executable.ts';
import { serveHealth } from '../../workers/health.ts';
import { installTelemetry, openTraces } from '../../workers/telemetry.ts';
import { logLine } from '../../workers/worker-log.ts';
import { workflowsPath } from '../../workers/workflows-path.ts';
import { fakeActivities } from '../workflows/fake-activities.ts';
import { planOn } from '../workflows/histories/scenarios.ts';
import { until } from '../workflows/until.ts';

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
  const worker = await Worker.create({
    connection: temporal.nativeConnection,
    taskQueue: 'told',
    workflowsPath,
    activities: fakeActivities(planOn('told', { rounds: 0 }), []),
    plugins: traces && [traces.plugin],
  });
  const health = await serveHealth(worker, { port: 0 });
  const ask = () => fetch(`http://127.0.0.1:${health.port}/healthz`);
  expect((await ask()).status).toBe(503);
  await worker.runUntil(async () => {
    await temporal.client.workflow.execute('dataEngine', {
      taskQueue: 'told',
      workflowId: 'told',
      args: [{ config: 'tiny.yaml' }],
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
  await traces?.close();
  await until(() => received.length > 0);
  const spans = received.join('\n');
  for (const name of ['RunWorkflow:dataEngine', 'StartChildWorkflow:round', 'RunActivity:finetune']) {
    expect(spans).toContain(name);
  }
  expect(spans).toContain('test-worker');
});

test('a log line in JSON has run and round beside time, level and message', () => {
  const meta = { run: 'nightly', round: 2, activityType: 'finetune', error: new Error('broken') };
  const line = logLine('json', { level: 'INFO', message: 'step done', timestampNanos: 0n, meta });
  expect(JSON.parse(line)).toMatchObject({
    ...{ run: 'nightly', round: 2, activityType: 'finetune' },
    ...{ time: '1970-01-01T00:00:00.000Z', level: 'INFO', message: 'step done' },
    error: expect.stringContaining('Error: broken'),
  });
});
