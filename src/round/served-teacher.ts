/**
 * A teacher of `teacher.serve`: a server that runs on the GPU in turn with the student, and only while it is asked. Its command
 * is the worker's own, its address is this machine, and it gets no key.
 */
import { join } from 'node:path';
import type { OpenAI } from 'openai';
import { InputError } from '../core/input-error.ts';
import { usualWorkerSettings } from '../core/worker-settings.ts';
import { endpointClient, listModels } from '../evaluation/endpoint/client.ts';
import { askWithRetries } from '../teacher/ask-with-retries.ts';
import { withServer } from '../trainer/supervisor/run-server.ts';
import { requireServeCommand } from './serve.ts';
import type { StepContext } from './step-context.ts';
import { teacherServerName } from './store-rules.ts';

type AskingContext = Pick<StepContext, 'config' | 'extensions' | 'access' | 'run' | 'signal' | 'holdsGpu'>;

const attempts = 6;

/**
 * Does work that asks the teacher, with the context to ask it by. For `teacher.serve` its server is started before, and stopped
 * after it, however it ends; any other teacher is where the config says.
 *
 * @throws InputError where this worker has no such server, it has another model, or the work has no GPU; TrainerError when the
 *   server does not start, or ends before the work does
 */
export async function withServedTeacher<Context extends AskingContext, R>(
  context: Context,
  work: (context: Context) => Promise<R>,
): Promise<R> {
  const { config, run } = context;
  const { serve: name } = config.teacher;
  if (name === undefined) return work(context);
  requireGpu(context, name);
  const command = await requireServeCommand(context, { name, field: 'teacher.serve' });
  const directory = join(run.root, teacherServerName);
  return withServer({ ...command, directory, signal: context.signal }, async ({ url, signal }) => {
    const access = { ...(context.access ?? usualWorkerSettings()), secrets: [] };
    const client = endpointClient({ url, requestTimeoutSeconds: config.teacher.requestTimeoutSeconds }, access);
    requireModel(await askWithRetries(() => listModels(client, signal), { attempts, signal }), config.teacher);
    const teacher = { ...config.teacher, baseUrl: url, serve: undefined };
    return work({ ...context, config: { ...config, teacher }, access, signal });
  });
}

/**
 * As `withServedTeacher`, but the server is started by the first request: the answers to all may be known.
 *
 * @param connect gives work a client of the teacher of a context
 */
export async function withServedClient<R>(
  context: AskingContext,
  connect: (context: AskingContext, use: (client: OpenAI) => Promise<void>) => Promise<void>,
  work: (client: () => Promise<OpenAI>) => Promise<R>,
): Promise<R> {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let serving: Promise<void> | undefined;
  const start = () =>
    new Promise<OpenAI>((resolve, reject) => {
      const use = (client: OpenAI) => {
        resolve(client);
        return ended;
      };
      serving = withServedTeacher(context, (served) => connect(served, use));
      serving.catch(reject);
    });
  let started: Promise<OpenAI> | undefined;
  const client = () => {
    started ??= start();
    return started;
  };
  try {
    return await work(client);
  } finally {
    end();
    // What ended the server says more than the requests that failed by it.
    await serving;
  }
}

/** Work that a person typed may take the machine's GPU; an activity only that of its worker. */
function requireGpu({ access, holdsGpu }: AskingContext, name: string): void {
  if (access === undefined || holdsGpu) return;
  throw new InputError({
    file: 'config',
    field: 'teacher.serve',
    problem: `the server ${name} runs on a GPU worker, and this work asks the teacher elsewhere`,
    remedy: 'Start the server by hand, and name it by teacher.baseUrl',
  });
}

function requireModel(
  models: readonly string[],
  { serve, model }: { serve?: string | undefined; model: string },
): void {
  if (models.includes(model)) return;
  throw new InputError({
    file: 'config',
    field: 'teacher.model',
    problem: `the server ${serve} has no model ${model}`,
    remedy: models.length === 0 ? 'It lists none' : `It lists ${models.slice(0, 20).join(', ')}`,
  });
}
