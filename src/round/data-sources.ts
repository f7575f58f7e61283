import { join } from 'node:path';
import { InputError } from '../core/input-error.ts';
import { withLock } from '../core/with-lock.ts';
import type { StepContext } from './step-context.ts';

/** Fields of the config's `data` that ask for data to be made. */
const sourceFields = ['scenes'] as const;

/**
 * Makes the data that the config asks for, unless it is on this machine. The same config gives the same files on
 * every machine, so none of them has to be uploaded.
 *
 * @throws InputError when this program has no such data source
 */
export async function prepareDataSources({
  config,
  extensions,
  signal,
  onProgress,
}: Pick<StepContext, 'config' | 'extensions' | 'signal' | 'onProgress'>): Promise<void> {
  for (const name of sourceFields.filter((field) => config.data[field] !== undefined)) {
    const source = extensions.dataSources[name];
    if (source === undefined) {
      throw new InputError({
        file: 'config',
        field: `data.${name}`,
        problem: 'this program has no data source of this name',
        remedy: 'Register it among the extensions that the program passes on, or leave the field out',
      });
    }
    const report = (step: number, steps: number) => onProgress({ phase: 'render', step, steps });
    const prepare = () => source.prepare({ config, signal, onProgress: report });
    await withLock(join(config.data.root, `.${name}.lock`), prepare, { signal });
  }
}
