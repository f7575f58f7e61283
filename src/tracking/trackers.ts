import { mlflow } from './mlflow.ts';
import type { Tracker } from './tracker.ts';
import { wandb } from './wandb.ts';

/** All trackers, by the name that a config gives. A new one is a file and its line here. */
export const trackers = { mlflow, wandb } as const satisfies Record<string, Tracker>;

export type TrackerName = keyof typeof trackers;
export const trackerNames = Object.keys(trackers) as [TrackerName, ...TrackerName[]];
