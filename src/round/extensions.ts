/**
 * What programs add to this library, by the names that configs use. The demo's data is one such entry
 * (`demo/extensions.ts`); `workers/extensions.ts` lists what the workers and the command line use.
 */
import type { Config } from '../config/schema.ts';
import type { TeacherProvider } from '../teacher/provider.ts';

/** Makes a dataset on this machine, where a person would otherwise download one. */
export interface DataSource {
  /**
   * Makes what is not there yet under `data.root`. The same config gives the same files on every machine.
   *
   * @throws InputError when the folder holds other data
   */
  prepare(input: {
    config: Config;
    signal: AbortSignal;
    onProgress: (done: number, total: number) => void;
  }): Promise<void>;
}

export interface Extensions {
  /** By the field of the config's `data` that asks for it, such as `scenes`. */
  dataSources: Readonly<Record<string, DataSource>>;
  /** Beside the built-in ones, by the name in the config's `teacher.provider`. */
  teacherProviders: Readonly<Record<string, TeacherProvider>>;
}
