/** Whether the teacher can be asked: by its list of models, which costs nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { distance } from 'fastest-levenshtein';
import type { OpenAI } from 'openai';
import { configError } from '../../core/input-error.ts';
import { teacherErrorFrom } from '../../teacher/read-error.ts';
import type { TeacherError } from '../../teacher/teacher-error.ts';
import { connectTeacher, teacherOf } from '../teacher.ts';
import type { PreflightContext } from './check.ts';

const timeout = 10_000;
const tries = 2;
/** A server that was just started. */
const pauseMilliseconds = 1000;
const listed = 8;

/** Whether the teacher is a server that is there before it is asked. */
export function isReached(context: PreflightContext): boolean {
  // One that is started on the GPU while it is asked.
  if (context.config.teacher.serve !== undefined) return false;
  const { provider, settings } = teacherOf(context);
  // A teacher that is started for each piece of work.
  return provider.isPaid || settings.baseUrl !== undefined;
}

/**
 * Both checks, where the process that makes the requests is another one than that which looks at all the rest.
 *
 * @throws InputError for what is wrong
 */
export async function requireTeacher(context: PreflightContext): Promise<{ notes: string[] }> {
  if (!isReached(context)) return { notes: [] };
  await requireKey(context);
  return { notes: await requireKnownModel(context) };
}

/** @throws InputError when the key is missing, or may not be sent to that host */
export async function requireKey(context: PreflightContext): Promise<undefined> {
  await connectTeacher(context, async () => undefined);
  return undefined;
}

/**
 * Reads the teacher's list of models. A server that has none, or is busy, is left to the first request.
 *
 * @throws InputError when it can't be reached, refuses the key, or does not have the model
 */
export async function requireKnownModel(context: PreflightContext): Promise<string[]> {
  const { provider, settings } = teacherOf(context);
  const { model, baseUrl } = settings;
  return connectTeacher(context, async (client) => {
    const found = await listModels(client, context.signal);
    if ('error' in found) return judgeError(found.error, client, context);
    const { models } = found;
    if (models.length === 0) {
      // Some servers answer a wrong address with a page, or with an error whose status is 200.
      await requireVersion(client, context);
      return [`Whether the teacher at ${client.baseURL} knows its model can't be told: it lists none.`];
    }
    // Azure lists what may be deployed, also where it is asked as OpenAI is, and takes names of deployments.
    const takesUnlisted = provider.takesUnlistedModels ?? new URL(client.baseURL).hostname.endsWith('.azure.com');
    if (takesUnlisted || models.some((one) => isModel(one, model))) return [];
    const names = models.map(({ id }) => id).sort();
    const shown = names.slice(0, listed).join(', ');
    const [nearest] = names
      .filter((name) => distance(name, model) <= model.length / 3)
      .sort((left, right) => distance(left, model) - distance(right, model));
    throw configError(
      'teacher.model',
      `${baseUrl ?? client.baseURL} has no model ${model}`,
      `${nearest === undefined ? '' : `Did you mean ${nearest}? `}It has ${shown}${names.length > listed ? ` and ${names.length - listed} more` : ''}`,
    );
  }).catch((error: unknown) => {
    // A key that is missing is what the check of the key says.
    if ((error as { field?: string }).field === settings.apiKeyVariable) return [];
    throw error;
  });
}

interface ListedModel {
  id: string;
  owned_by?: string;
}

type Listing = { models: ListedModel[] } | { error: TeacherError };

async function listModels(client: OpenAI, signal: AbortSignal): Promise<Listing> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { data } = await client.models.list({ timeout, maxRetries: 0, signal });
      const models: readonly unknown[] = Array.isArray(data) ? data : [];
      return { models: models.flatMap((one) => (hasId(one) ? [one] : [])) };
    } catch (caught) {
      signal.throwIfAborted();
      const error = teacherErrorFrom(caught);
      if (error.status !== undefined || attempt >= tries) return { error };
      await sleep(pauseMilliseconds, undefined, { signal });
    }
  }
}

function hasId(value: unknown): value is ListedModel {
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string';
}

/** Whether a server means the model by a name in its list: some add a tag or a folder, llama.cpp takes any name. */
function isModel({ id, owned_by }: ListedModel, model: string): boolean {
  const plain = model.replace(/:[\w-]+$/, '');
  return (
    id === model || id === plain || id.startsWith(`${model}:`) || id.endsWith(`/${model}`) || owned_by === 'llamacpp'
  );
}

/** @throws InputError for what waiting does not mend */
async function judgeError(error: TeacherError, client: OpenAI, context: PreflightContext): Promise<string[]> {
  const { status, message } = error;
  const address = client.baseURL;
  if (status === undefined) {
    const isReached = !message.startsWith('The teacher could not be reached');
    if (error.unusable && isReached)
      return [`Whether the teacher at ${address} knows its model can't be told: ${message}.`];
    const problem = `${address}: ${message.charAt(0).toLowerCase()}${message.slice(1).replace(/\.$/, '')}`;
    throw configError('teacher.baseUrl', problem, 'Start the server, or correct the address and the port');
  }
  // A restricted key of OpenAI may ask a model, and not list them.
  const mayAsk = error.code === 'missing_scope' || /missing scopes|insufficient permissions/i.test(message);
  if (!mayAsk && (status === 401 || status === 403 || (status >= 300 && status < 400))) {
    throw configError(status < 400 ? 'teacher.baseUrl' : 'teacher.apiKeyVariable', message, 'Nothing was asked yet');
  }
  if (status === 404) await requireVersion(client, context);
  return [`Whether the teacher at ${address} knows its model can't be told: it lists none (status ${status}).`];
}

/** @throws InputError where the address has no list of models, and has one with the version of the protocol behind it */
async function requireVersion(client: OpenAI, { signal }: PreflightContext): Promise<void> {
  const address = client.baseURL;
  if (/\/v\d+\/?$/.test(address)) return;
  const withVersion = `${address.replace(/\/+$/, '')}/v1`;
  const other = await listModels(client.withOptions({ baseURL: withVersion }), signal);
  if ('models' in other && other.models.length > 0)
    throw configError(
      'teacher.baseUrl',
      `${address} has no models, and ${withVersion} has`,
      `Set it to ${withVersion}`,
    );
}
