/** What retention removes of a run, by kind. */

/** The kinds, in the order in which they are listed. */
export const removalKinds = {
  resume: 'checkpoints and parts of finished steps',
  model: 'merged models that are made again when they are needed',
  other: 'mixtures that are made again when they are needed',
  temporary: 'temporary files of killed writers',
} as const;

export type RemovalKind = keyof typeof removalKinds;

export interface Removal {
  kind: RemovalKind;
  /** Relative to the run's folder. */
  folder: string;
  /** Relative to that folder → bytes that are free afterwards: none of a file that has another name elsewhere. */
  files: Record<string, number>;
}

export interface PruneOutcome {
  run: string;
  rounds: number;
  dryRun: boolean;
  kept: { round: number; why: string }[];
  /** What other runs need of this one. */
  needed: { by: string; path: string }[];
  removed: { kind: RemovalKind; files: number; bytes: number }[];
  /** Bytes in all. */
  bytes: number;
  /** Who works on the run meanwhile: what they may need has stayed. */
  owner?: string;
  /** Whether somebody took the run over meanwhile: the rest is left to the next prune. */
  interrupted?: boolean;
  /** Of a run in a store: objects that stay for now, and why. */
  waiting?: { objects: number; bytes: number; why: string };
}

/** The sums of removals, by kind. */
export function sumsOf(removals: readonly Removal[]): Pick<PruneOutcome, 'removed' | 'bytes'> {
  const removed = (Object.keys(removalKinds) as RemovalKind[]).map((kind) => {
    const sizes = removals.filter((one) => one.kind === kind).flatMap(({ files }) => Object.values(files));
    return { kind, files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  });
  return {
    removed: removed.filter(({ files }) => files > 0),
    bytes: removed.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** The round of a folder of a run; undefined for one of the run itself. */
export function roundOf(folder: string): number | undefined {
  const number = /^round-(\d+)(\/|$)/.exec(folder)?.[1];
  return number === undefined ? undefined : Number(number);
}
