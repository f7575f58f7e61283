/** The servers that a worker may start, by the names that a config has for them. */
import { InputError } from '../core/input-error.ts';
import { loadWorkerSettings, type ServeSettings, workerSettingsVariable } from '../core/worker-settings.ts';
import type { StepContext } from './step-context.ts';

const asks = {
  'evaluate.serve': { placed: true, problem: 'has no {model}, and would serve another one than the merged model' },
  'teacher.serve': { placed: false, problem: "has {model}, which is the merged one; a teacher's is named there" },
};

/**
 * The command of a name. Commands are the worker's own: a config has their names alone.
 *
 * @param at.field of the config that has the name: it says whose model is served
 * @throws InputError when this worker has no such command, or one for another model
 */
export async function requireServeCommand(
  { access }: Pick<StepContext, 'access'>,
  { name, field }: { name: string; field: keyof typeof asks },
): Promise<ServeSettings> {
  const { serve } = access ?? (await loadWorkerSettings());
  const found = Object.hasOwn(serve, name) ? serve[name] : undefined;
  if (found === undefined) {
    const known = Object.keys(serve).sort();
    throw new InputError({
      file: 'config',
      field,
      problem: `this worker has no server ${name}`,
      remedy: `List its command under serve in the settings of the worker (${workerSettingsVariable})${known.length > 0 ? `, or name one of ${known.join(', ')}` : ''}`,
    });
  }
  const { placed, problem } = asks[field];
  if (found.command.some((word) => word.includes('{model}')) === placed) return found;
  throw new InputError({
    file: 'worker settings',
    field: `serve.${name}.command`,
    problem: `${problem}, and ${field} names it`,
    remedy: placed ? 'Write {model} where the model directory belongs' : 'Write the model of the teacher in its place',
  });
}
