/** Asks an endpoint all questions of a set, and sees to it that one model answers them all. */
import { rm } from 'node:fs/promises';
import type { OpenAI } from 'openai';
import { InputError } from '../../core/input-error.ts';
import { type AskEndpointInput, askEndpoint } from '../../evaluation/endpoint/ask-endpoint.ts';
import { listModels } from '../../evaluation/endpoint/client.ts';
import { type Identified, identify, rankingOf } from '../../evaluation/endpoint/fingerprint.ts';
import type { Ranking } from '../../evaluation/endpoint/rankings.ts';
import { askWithRetries } from '../../teacher/ask-with-retries.ts';
import { TeacherError } from '../../teacher/teacher-error.ts';
import type { EvaluationAnswer } from '../../trainer/job-files.ts';

/** Tries of a single request: half a minute. */
const attempts = 6;

/** A model at an endpoint, and what is known of it. */
export interface Asked {
  client: OpenAI;
  model: string;
  ranking: Ranking;
  identified: Identified;
}

/**
 * Finds out which model an endpoint has, and how it can rank.
 *
 * @param at.model default: the only one that it lists
 * @param at.serve the name of the worker's server, where it is one
 * @throws InputError where it lists none, or several, or not the one that is named; TeacherError
 */
export async function identifyEndpoint(
  client: OpenAI,
  at: { url: string; model?: string | undefined; serve?: string; blind: boolean; signal: AbortSignal },
): Promise<Asked> {
  const { signal, blind } = at;
  const retried = <R>(ask: () => Promise<R>) => askWithRetries(ask, { attempts, signal });
  const models = at.model === undefined ? await retried(() => listModels(client, signal)) : [at.model];
  const model = at.serve === undefined ? onlyModel(models, at.url) : onlyServedModel(models, at.serve);
  const identified = await retried(() => identify(client, model, { blind, signal })).catch(async (error: unknown) => {
    throw (await unknownModel(error, client, { ...at, model })) ?? error;
  });
  return { client, model, identified, ranking: await retried(() => rankingOf(client, model, signal)) };
}

/**
 * Asks every question that has no answer in the folder yet, then whether the model is still the same.
 *
 * @throws InputError when it is not: the answers are removed then, since nobody knows by whom they are; what `askEndpoint` throws
 */
export async function askSameModel(
  input: AskEndpointInput & { url: string; blind: boolean; identified: Identified },
): Promise<EvaluationAnswer[]> {
  const { client, model, url, blind, identified, signal, folder } = input;
  const answers = await askEndpoint(input);
  const after = await askWithRetries(() => identify(client, model, { blind, signal }), { attempts, signal });
  if (after.fingerprint === identified.fingerprint) return answers;
  await rm(folder, { recursive: true, force: true });
  throw changed(url, model, identified, after);
}

function changed(url: string, model: string, before: Identified, after: Identified): InputError {
  const place = before.answers.findIndex((answer, index) => answer !== after.answers[index]);
  const [was, is] = [before, after].map(({ answers }) => JSON.stringify((answers[place] ?? '').slice(0, 60)));
  return new InputError({
    file: url,
    field: model,
    problem: `answers otherwise than when the evaluation started: ${was} then, ${is} now`,
    remedy:
      'Start again once the same model answers throughout. The prompts are asked one by one; where answers change with the load of others, ask a server that nobody else uses',
  });
}

/** The error of a name that the server does not list; it says so in many ways, and of a wrong path with the same status. */
async function unknownModel(
  error: unknown,
  client: OpenAI,
  { model, url, signal }: { model: string; url: string; signal: AbortSignal },
): Promise<InputError | undefined> {
  const status = error instanceof TeacherError && !error.retryable ? error.status : undefined;
  if (status !== 400 && status !== 404 && status !== 422) return undefined;
  const models = await listModels(client, signal).catch((): string[] => []);
  if (models.length === 0 || models.includes(model)) return undefined;
  const problem = `${url} has no model ${model}`;
  return new InputError({ file: 'command line', field: '--model-name', problem, remedy: giveOneOf(models) });
}

function giveOneOf(models: readonly string[]): string {
  return `Give one of ${models.slice(0, 20).join(', ')}`;
}

/** The model of a server that was started for a round. @throws InputError where it lists none, or several */
export function onlyServedModel(models: readonly string[], serve = 'of the merged model'): string {
  const [only] = models;
  if (only !== undefined && models.length === 1) return only;
  const problem = `the server ${serve} lists ${models.length} models`;
  const remedy = "Have its command in the worker's settings serve one name";
  throw new InputError({ file: 'config', field: 'evaluate.serve', problem, remedy });
}

function onlyModel(models: readonly string[], url: string): string {
  const [only] = models;
  if (only !== undefined && models.length === 1) return only;
  throw new InputError({
    file: 'command line',
    field: '--model-name',
    problem:
      models.length === 0 ? `is missing, and ${url} lists no model` : `is missing, and ${url} has several models`,
    remedy: models.length === 0 ? 'Give it' : giveOneOf(models),
  });
}
