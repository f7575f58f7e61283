/**
 * What a worker may touch: said by whoever runs it, in `worker.yaml`, never by a config, a record or a message.
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import { timerSeconds } from './durations.ts';
import { projectFile } from './files.ts';
import { describeFirstIssue, InputError } from './input-error.ts';
import { readPlainYaml } from './plain-yaml.ts';
import { storeUri } from './remote/store-uri.ts';
import { hostProblem } from './secret-hosts.ts';

/** The environment variable with the path of the file. */
export const workerSettingsVariable = 'DATAENGINE_WORKER_SETTINGS';

/** A path of the worker's disk, as it is: no shell reads it. */
const path = z
  .string()
  .min(1)
  .refine((text) => !/^~|\$\{|\0/.test(text), 'write the whole path: ~ and variables are not expanded');
const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'write the name of an environment variable, not its value');
const host = z.string().superRefine((text, context) => {
  const message = hostProblem(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});
const hosts = z
  .array(host)
  .min(1)
  .describe(
    'Hosts it may go to, over https; `http://` before a host allows plain http. A port counts; `*.` stands for any name.',
  );

const secretSchema = z
  .strictObject({
    variable: variable.optional().describe('Environment variable with the secret, as teacher.apiKeyVariable names it.'),
    file: path.optional().describe('File with the secret, as teacher.apiKeyFile names it.'),
    hosts,
  })
  .refine(({ variable, file }) => (variable === undefined) !== (file === undefined), 'give one of variable and file');

const serveSchema = z
  .strictObject({
    command: z
      .array(z.string().min(1))
      .min(1)
      .describe(
        "Program and arguments; no shell reads them. {port} is the port that it listens to on 127.0.0.1. {model} is the merged model, for evaluate.serve; a teacher's command names its own model instead.",
      ),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('Its port, for a command without {port}. Default: a free one.'),
    readySeconds: timerSeconds.default(900).describe('Longest time until it lists its models (GET /v1/models).'),
  })
  .refine(({ command, port }) => port !== undefined || command.some((word) => word.includes('{port}')), {
    path: ['command'],
    message: 'has no {port}: write it, or give the port',
  });

/** How a server is started. */
export type ServeSettings = z.output<typeof serveSchema>;

/** OpenAI's key to OpenAI, Azure's to Azure. */
const usualSecrets = [
  { variable: 'OPENAI_API_KEY', hosts: ['api.openai.com'] },
  { variable: 'AZURE_OPENAI_API_KEY', hosts: ['*.openai.azure.com', '*.cognitiveservices.azure.com'] },
];

// A folder, a host or a store that can't be meant is refused with the reason, never matched loosely.
/** The file `worker.yaml`. Relative paths start in the worker's working directory. */
export const workerSettingsSchema = z.strictObject({
  configs: z
    .array(path)
    .default(['configs'])
    .describe(
      "Folders with the configs that a workflow's input may name, and with the prompts, prices and question types that a config names. Paths in the config of a run in a store start in the first one.",
    ),
  data: z
    .array(path)
    .default(['data', '.cache/scenes'])
    .describe(
      "Folders with the datasets: what `dataRoot` of a workflow's input and `data.root` of a config may name. The demo " +
        'renders its own into .cache/scenes. Symbolic links inside a dataset are followed.',
    ),
  models: z
    .array(path)
    .optional()
    .describe('Folders with the models that a config may name. Default: those of `data`.'),
  runs: z
    .array(path)
    .min(1)
    .default(['runs'])
    .describe('Folders with the runs. Copies of runs in a store are in the first one.'),
  cache: path.default('.cache').describe('Cache of runs in a store.'),
  stores: z.array(storeUri).default([]).describe('Object stores with the runs.'),
  secrets: z
    .array(secretSchema)
    .default(usualSecrets)
    .describe('Which secret may be sent to which host. A server on this machine gets none unless it is listed.'),
  webhooks: z
    .array(variable)
    .default([])
    .describe('Environment variables with addresses of webhooks, as notify.webhookVariable names them.'),
  serve: z
    .record(z.string().regex(/^[a-z0-9][a-z0-9._-]*$/, 'use small letters, digits, ".", "_" and "-"'), serveSchema)
    .default({})
    .describe(
      'Servers of chat completions that this worker may start, by the names that evaluate.serve and teacher.serve have for them. They get no secret of the environment.',
    ),
  umask: z
    .string({ error: 'write it in quotes, such as "027"' })
    .regex(/^0?[0-7]{3}$/, 'write three octal digits in quotes, such as "027"')
    .optional()
    .describe(
      'Permissions that files written by this worker and its trainers do not get, in octal: with "027" files are 0640 and ' +
        'folders 0750. Default: that of the shell.',
    ),
  limits: z
    .strictObject({
      configBytes: z.int().positive().default(1_000_000).describe('Largest config that is read.'),
      stepMegabytes: z
        .int()
        .positive()
        .optional()
        .describe(
          "JavaScript heap of each process that computes a step of a CPU worker, in MB. Default: Node's own, by the memory " +
            'of the machine or container.',
        ),
    })
    .prefault({}),
});

/** Settings with absolute paths. */
export type WorkerSettings = z.output<typeof workerSettingsSchema> & { models: string[] };

/**
 * Reads the settings of this process's worker: the file that `DATAENGINE_WORKER_SETTINGS` names, or the defaults.
 *
 * @throws InputError when the file is missing or wrong
 */
export async function loadWorkerSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<WorkerSettings> {
  const file = environment[workerSettingsVariable];
  return file ? readWorkerSettings(file) : usualWorkerSettings();
}

/** What holds without a file. */
export function usualWorkerSettings(): WorkerSettings {
  const usual = withAbsolutePaths(workerSettingsSchema.parse({}));
  // A config in a folder without prompts, prices and models takes those of the project (`loadConfig`).
  const withOwn = (folders: readonly string[], name: string) => [...new Set([...folders, projectFile(name)])];
  const { configs, models } = usual;
  return { ...usual, configs: withOwn(configs, 'configs'), models: withOwn(models, 'data') };
}

/** @throws InputError that names file and field */
async function readWorkerSettings(file: string): Promise<WorkerSettings> {
  const parsed = workerSettingsSchema.safeParse((await readPlainYaml(file)).value ?? {});
  if (parsed.success) return withAbsolutePaths(parsed.data);
  const { field, problem } = describeFirstIssue(parsed.error);
  throw new InputError({
    file,
    field,
    problem,
    remedy: '`dataengine worker settings` prints those that hold without this file',
  });
}

function withAbsolutePaths(settings: z.output<typeof workerSettingsSchema>): WorkerSettings {
  const all = (folders: readonly string[]) => folders.map((path) => resolve(path));
  return {
    ...settings,
    configs: all(settings.configs),
    data: all(settings.data),
    models: all(settings.models ?? settings.data),
    runs: all(settings.runs),
    cache: resolve(settings.cache),
    secrets: settings.secrets.map((secret) =>
      secret.file === undefined ? secret : { ...secret, file: resolve(secret.file) },
    ),
  };
}
