/**
 * For an orchestrator's probes: `GET /healthz` answers 200 while all workers of the process poll, 503 otherwise.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Worker } from '@temporalio/worker';

export interface HealthEndpoint {
  port: number;
  close(): Promise<void>;
}

/** @param port 0 takes any free one. Only this machine can reach it unless `host` says otherwise. */
export async function serveHealth(
  workers: readonly Worker[],
  { port, host = '127.0.0.1' }: { port: number; host?: string },
): Promise<HealthEndpoint> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/healthz') {
      response.writeHead(404).end();
      return;
    }
    const state = workers.map((worker) => worker.getState()).find((one) => one !== 'RUNNING') ?? 'RUNNING';
    const statuses = workers.map((worker) => worker.getStatus());
    const activities = sum(statuses.map(({ numInFlightActivities }) => numInFlightActivities));
    const workflows = sum(statuses.map(({ numInFlightWorkflowActivations }) => numInFlightWorkflowActivations));
    response.writeHead(state === 'RUNNING' ? 200 : 503, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify({ state, activities, workflows })}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
