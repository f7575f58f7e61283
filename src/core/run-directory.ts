import { join } from 'node:path';
import { InputError } from './input-error.ts';
import { joinInside } from './inside.ts';

/** The name of a run, which becomes that of a folder. */
export const runNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
export const runNameRule = 'use letters, digits, ".", "_" and "-", and start with a letter or a digit';

/** The folder of a run: `<runs>/<run>`. */
export interface RunDirectory {
  root: string;
  /** Present when the run lies in an object store; this disk then has what this machine needed of it. */
  stored?: StoredRun;
}

/** A run in an object store, as a step sees it. Folders are absolute paths on this machine. */
export interface StoredRun {
  /** `s3://bucket/prefix/runs/<run>` */
  uri: string;
  /**
   * Downloads the newest files of a step's folder, as far as this disk lacks them. Nothing happens when the store has none.
   *
   * @param options.weights also the large files of models (`*.safetensors`)
   */
  download(folder: string, options?: { weights?: boolean }): Promise<void>;
  /** The same for every step's folder below a folder. */
  downloadAll(folder: string): Promise<void>;
  /**
   * Downloads what all machines have written so far into a folder whose files only grow, each written by one process. From
   * now until the activity ends, uploads what this machine adds.
   *
   * @param options.startingWith beginning of the files' names; default: all files
   */
  sync(folder: string, options?: { startingWith?: string }): Promise<void>;
  /** Writes a page for people into the store, under its own name. @returns its URI */
  publish(file: string): Promise<string>;
}

/**
 * Names the folder of a run. Nothing is created on the disk: the first file written creates its folders.
 *
 * @throws InputError when the run's name can't be a folder's name.
 */
export function openRunDirectory(runsDirectory: string, run: string): RunDirectory {
  if (!runNamePattern.test(run)) {
    throw new InputError({
      file: runsDirectory,
      field: 'run',
      problem: `${JSON.stringify(run)} can't be the name of a run`,
      remedy: `${runNameRule.charAt(0).toUpperCase()}${runNameRule.slice(1)}`,
    });
  }
  return { root: joinInside(runsDirectory, run) };
}

/** `<runs>/<run>/round-<round>` */
export function roundDirectory(run: RunDirectory, round: number): string {
  return join(run.root, `round-${round}`);
}
