/**
 * What the store has to know of the files of a run. The program that has steps says it; the rules of the table of steps are
 * made by `src/round/store-rules.ts`.
 */

/** Rules for the files of a step's folder. Paths are relative to that folder. */
export interface StepFiles {
  /** Whether the file means something on this machine only, or can be made here again. */
  isLocal(path: string): boolean;
  /** Whether an interrupted attempt resumes from the file. Once the step has finished, it is of no use. */
  isForResuming(path: string): boolean;
}

export interface RunRules {
  /** By a step's folder. Folders are relative to the run's. */
  stepFiles(folder: string): StepFiles;
  /**
   * Whether a path, relative to the run's folder, belongs to the run itself: not to a step, nor to a synced folder, nor to
   * this machine alone. The path of a folder ends with a slash.
   */
  isOfRun(path: string): boolean;
  /** Whether steps read a file of the run itself; others are there for people, and are downloaded for them only. */
  isReadBySteps(path: string): boolean;
  /** Folders of the run that all machines write into, each process into files of its own that only grow. */
  syncedFolders: readonly string[];
}
