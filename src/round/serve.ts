/** The servers that a worker may start, by the names that a config has for them. */
import { InputError } from '../core/input-error.ts';
import { loadWorkerSettings, type ServeSettings, workerSettingsVariable } from '../core/worker-settings.ts';
import type { StepContext } from './step-context.ts';

/**
 * The command of a name. Commands are the worker's own: a config has their names alone.
 *
 * @param field of the config that has the name
 * @throws InputError when this worker has no such command
 */
export async function requireServeCommand(
  { access }: Pick<StepContext, 'access'>,
  { name, field }: { name: string; field: string },
): Promise<ServeSettings> {
  const { serve } = access ?? (await loadWorkerSettings());
  const found = Object.hasOwn(serve, name) ? serve[name] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(serve).sort();
  throw new InputError({
    file: 'config',
    field,
    problem: `this worker has no server ${name}`,
    remedy: `List its command under serve in the settings of the worker (${workerSettingsVariable})${known.length > 0 ? `, or name one of ${known.join(', ')}` : ''}`,
  });
}
