/** What a tracker of experiments is told of a run, and what it must be able to do. Only names, numbers and references. */

/** A run: the loop. */
export interface TrackedRun {
  name: string;
  /** Of this run alone, among all of a tracker: letters and digits. */
  id: string;
  /** ISO 8601: when its first step was started. */
  startedAt: string;
  /** Settings of the config, such as `finetune.lora.rank`. */
  settings: Record<string, string | number | boolean>;
  /** Name → path or address. */
  references: Record<string, string>;
  rounds: TrackedRound[];
}

/** A round of the loop: a run of its own within it. */
export interface TrackedRound {
  round: number;
  /** ISO 8601 */
  startedAt: string;
  finishedAt: string;
  /** Of the finetune, in steps counted from 1. */
  losses: { step: number; loss: number }[];
  validationLosses: { step: number; loss: number }[];
  /** Set and measure, such as `validation.multipleChoice` → the score as a share, with its 95 % confidence interval. */
  scores: Record<string, { value: number; low: number; high: number }>;
  /** Other figures, such as `samplesAdded`. */
  figures: Record<string, number>;
  /** Short texts, such as the decision about the round. */
  facts: Record<string, string>;
  /** Of the data that the round has added. */
  dataset?: { version: string; parents: string[]; samples: number; reference: string } | undefined;
  /** Name → path or address of what the round has made. */
  references: Record<string, string>;
}

/** Where a tracker writes, and what it may use. */
export interface TrackerPlace {
  /** Of the server; undefined for one that writes files. */
  baseUrl?: string | undefined;
  /** Experiment or project. */
  project: string;
  /** A folder of the run, for one that writes files. */
  folder: string;
  key?: string | undefined;
  signal: AbortSignal;
}

/** What was sent before: the tracker's own ids, by what they are of (`run`, `round-1`). */
export type TrackerIds = Record<string, string>;

export interface Tracker {
  /** Whether it is a server with an address; otherwise it writes files. */
  isServer: boolean;
  /**
   * Sends a run with some of its rounds. Sending the same again changes no figure.
   *
   * @param rounds those that were not sent before, or have changed since
   * @returns all ids, those given included
   * @throws TrackerError when the server does not take it
   */
  send(run: TrackedRun, rounds: readonly TrackedRound[], ids: TrackerIds, place: TrackerPlace): Promise<TrackerIds>;
}

/** A tracker did not take what it was sent. The message contains no key. */
export class TrackerError extends Error {
  override readonly name = 'TrackerError';
}
