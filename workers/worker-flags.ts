/**
 * The settings of a worker, which are flags of `dataengine worker`, and what they mean to the SDK.
 */
import { fileURLToPath } from 'node:url';
import type { BundleOptions, WorkerOptions } from '@temporalio/worker';
import { projectFile } from '../src/core/files.ts';

/** The file that exports all workflows; workers bundle from it. */
export const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

type WebpackConfigHook = NonNullable<BundleOptions['webpackConfigHook']>;

/**
 * Has the SDK's bundler compile our TypeScript also where this project is an installed package: it leaves out all that is
 * below a `node_modules`.
 *
 * @param root the project's folder, with a slash at its end
 */
export function compileOwnSources(root = projectFile('')): WebpackConfigHook {
  const isOfAnotherPackage = (file: string) =>
    (file.startsWith(root) ? file.slice(root.length) : file).includes('node_modules');
  return (config) => {
    for (const rule of config.module?.rules ?? []) {
      if (typeof rule === 'object' && rule !== null && String(rule.exclude) === String(/node_modules/)) {
        rule.exclude = isOfAnotherPackage;
      }
    }
    return config;
  };
}

/** Slots for the teacher's queue: its activities wait most of the time. */
export const teacherSlots = 20;

/** How long a worker that is to stop waits for its activities. */
export const shutdownForceSeconds = 60;

const logFormats = ['text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

export interface WorkerFlags {
  taskQueue?: string;
  /** Of a CPU worker: whether it polls the queue for the teacher too. Default: true. */
  teacher?: boolean;
  /**
   * Of a CPU worker or one for the teacher: how many activities at a time, or `resources` to let memory and CPU decide.
   * Default: 4 of a CPU worker, 20 of one for the teacher.
   */
  slots?: number | 'resources';
  logFormat?: LogFormat;
  /** Where Prometheus finds the metrics, such as `127.0.0.1:9464`. */
  metricsAddress?: string;
  /** Port of `GET /healthz`. */
  healthPort?: number;
  /** Address that it listens on. Default: only this machine can reach it. */
  healthHost?: string;
  /** How often activities report their progress, 1 to 10 seconds. Default: 1. In a fleet of hundreds, less often. */
  heartbeatSeconds?: number;
  /** Workflows made by `npm run bundle`. */
  workflowBundle?: string;
  /** File with the keys that payloads are encrypted with. Default: the one in the environment, or none. */
  payloadKeyFile?: string;
  /** Turns Worker Versioning on: workflows are pinned to the build that they started with. */
  buildId?: string;
  /** Default: `data-engine`. */
  deploymentName?: string;
}

/** Of a CPU worker. */
const usualSlots = 4;

/** How many activities may hold all slots. Where memory and CPU decide, nobody knows whether there is one more. */
export function slotCount(slots: WorkerFlags['slots'] = usualSlots): number {
  return slots === 'resources' ? 1 : slots;
}

/** Activity slots. A GPU worker always has one, for a GPU's memory holds one trainer. */
export function slotOptions(slots: WorkerFlags['slots'] = usualSlots): Partial<WorkerOptions> {
  if (slots !== 'resources') return { maxConcurrentActivityTaskExecutions: slots };
  return {
    tuner: {
      tunerOptions: { targetMemoryUsage: 0.8, targetCpuUsage: 0.9 },
      activityTaskSlotOptions: { maximumSlots: 64 },
    },
  };
}

/** Every workflow is pinned; `dataEngine` moves to the newest build when it continues as new. */
export function versioningOptions({ buildId, deploymentName = 'data-engine' }: WorkerFlags): Partial<WorkerOptions> {
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
 * How often heartbeats reach the server, where each is a write. The SDK's default of every 30 s or more is too seldom to
 * watch.
 */
export function heartbeatOptions({ heartbeatSeconds = 1 }: WorkerFlags): Partial<WorkerOptions> {
  return { maxHeartbeatThrottleInterval: `${heartbeatSeconds} seconds` };
}
