import { join } from 'node:path';
import { InputError } from './input-error.ts';

/** Where everything of one run lies: `<runs>/<run>`. */
export interface RunDirectory {
  root: string;
  /** There when the run lies in a store of objects, and this disk has what this machine needed of it. */
  stored?: StoredRun;
}

/** A run in a store of objects, as a step sees it. Folders are absolute, and this machine's. */
export interface StoredRun {
  /** `s3://bucket/prefix/runs/<run>` */
  uri: string;
  /**
   * Has the newest of a step's folder on this disk; nothing happens where the store has none of it.
   *
   * @param options.weights the large files of models too (`*.safetensors`)
   */
  bring(folder: string, options?: { weights?: boolean }): Promise<void>;
  /** The same for every step's folder below a folder. */
  bringAll(folder: string): Promise<void>;
  /**
   * Has on this disk what all machines have written so far into a folder whose files only grow, each in the hands of
   * one process; and sends what this machine adds, from now until the activity ends.
   *
   * @param options.startingWith of the files' names
   * @param options.of what the files belong to: those of others are not seen
   */
  share(folder: string, options?: { startingWith?: string; of?: string }): Promise<void>;
  /** Puts a page into the store under its own name, for people. @returns its URI */
  publish(file: string): Promise<string>;
}

/** The steps of a round that have a folder of their own. */
export type StepName =
  | 'finetune'
  | 'merge'
  | 'evaluate'
  | 'classify'
  | 'compare'
  | 'gate'
  | 'sample'
  | 'generate'
  | 'verify'
  | 'refine'
  | 'append';

const stepFolders: Record<StepName, string> = {
  finetune: 'finetune',
  merge: 'merged',
  evaluate: 'evaluate',
  classify: 'classify',
  compare: 'compare',
  gate: 'gate',
  sample: 'sample',
  generate: 'generate',
  verify: 'verify',
  refine: 'refine',
  append: 'append',
};

/**
 * Names the folder of a run. Nothing is made on the disk: the first file written makes its folders.
 *
 * @throws InputError when the run's name can't be a folder's name.
 */
export function openRunDirectory(runsDirectory: string, run: string): RunDirectory {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(run)) {
    throw new InputError({
      file: runsDirectory,
      field: 'run',
      problem: `${JSON.stringify(run)} can't be the name of a run`,
      remedy: 'Use letters, digits, ".", "_" and "-", and start with a letter or a digit',
    });
  }
  return { root: join(runsDirectory, run) };
}

/** `<runs>/<run>/round-<round>` */
export function roundDirectory(run: RunDirectory, round: number): string {
  return join(run.root, `round-${round}`);
}

/** The folder that belongs to one step of one round, and to nothing else. */
export function stepDirectory(run: RunDirectory, round: number, step: StepName): string {
  return join(roundDirectory(run, round), stepFolders[step]);
}
