/**
 * How a worker is run: by flags of `dataengine worker`, or by environment variables where a container is configured.
 */
import type { WorkerOptions } from '@temporalio/worker';
import type { LogFormat } from './worker-log.ts';

export interface WorkerSettings {
  taskQueue?: string;
  /** Of a CPU worker: how many activities at once, or `resources` to let memory and CPU decide. Default: 4. */
  slots?: number | 'resources';
  logFormat?: LogFormat;
  /** Where Prometheus finds the metrics, such as `127.0.0.1:9464`. */
  metricsAddress?: string;
  /** Port of `GET /healthz`. */
  healthPort?: number;
  /** Address that it listens on. Default: this machine's own alone. */
  healthHost?: string;
  /** How often activities tell their progress, 1 to 10 seconds. Default: 1. In a fleet of hundreds, less often. */
  heartbeatSeconds?: number;
  /** Workflows made by `npm run bundle`. */
  workflowBundle?: string;
  /** Turns Worker Versioning on: workflows are pinned to the build that they began with. */
  buildId?: string;
  /** Default: `data-engine`. */
  deploymentName?: string;
}

/** What the settings say of activity slots. A GPU worker always has one: no other trainer fits beside the first. */
export function slotOptions(slots: WorkerSettings['slots'] = 4): Partial<WorkerOptions> {
  if (slots !== 'resources') return { maxConcurrentActivityTaskExecutions: slots };
  return {
    tuner: {
      tunerOptions: { targetMemoryUsage: 0.8, targetCpuUsage: 0.9 },
      activityTaskSlotOptions: { maximumSlots: 64 },
    },
  };
}

/** Every workflow is pinned; `dataEngine` moves to the newest build when it continues as new. */
export function versioningOptions({ buildId, deploymentName = 'data-engine' }: WorkerSettings): Partial<WorkerOptions> {
  if (buildId === undefined) return {};
  return {
    workerDeploymentOptions: {
      version: { deploymentName, buildId },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'PINNED',
    },
  };
}

/**
 * How often heartbeats reach the server: each is a write to the workflow's state there. The SDK's own would be every 30 s or
 * more, which is too seldom to watch.
 */
export function heartbeatOptions({ heartbeatSeconds = 1 }: WorkerSettings): Partial<WorkerOptions> {
  return { maxHeartbeatThrottleInterval: `${heartbeatSeconds} seconds` };
}
