/** The part of `dataengine evaluate` that asks a server. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../src/config/schema.ts';
import { taskQueuesOf, usualTaskQueues } from '../src/config/workflow-schemas.ts';
import type { InputError } from '../src/core/input-error.ts';
import { loadWorkerSettings } from '../src/core/worker-settings.ts';
import type { SetOptions } from '../src/round/evaluate/choose-set.ts';
import type { EvaluateEndpointInput } from '../src/round/evaluate/evaluate-endpoint.ts';
import type { EndpointOptions as ServerOptions } from '../src/round/evaluate/evaluate-for-worker.ts';
import type { EvaluationSet } from '../src/round/evaluation-sets.ts';
import { endpointEvaluationInputSchema } from '../workflows/endpoint-input.ts';
import type { EndpointEvaluation } from '../workflows/messages.ts';
import { withJudge } from './evaluate-judged.ts';
import { type ConfigOptions, flagOf, integer, wrongOption } from './options.ts';
import { createProgressDisplay } from './progress-display.ts';
import { say } from './say.ts';
import { printScores } from './scores-table.ts';
import { withClient } from './temporal-client.ts';

export interface EndpointOptions extends Partial<ServerOptions> {
  temporal: boolean;
  detach: boolean;
  workflowId?: string;
}

/** Adds the options of an endpoint. */
export function addEndpointOptions(command: Command): Command {
  return command
    .option(
      '--endpoint <url>',
      "with --benchmark: a server of OpenAI's chat completions that answers, in place of --model",
    )
    .option('--model-name <name>', 'with --endpoint: the model at the server (default: its only one)')
    .option('--concurrency <number>', 'with --endpoint: open requests (default: 8)', integer(1))
    .option('--requests-per-minute <number>', 'with --endpoint: limit (default: none)', integer(1))
    .option(
      '--request-timeout <seconds>',
      'with --endpoint: a request without an answer is sent again (default: 300)',
      integer(1),
    )
    .option('--api-key-variable <name>', "with --endpoint: the key's variable; the worker settings bind it to the host")
    .option('--api-key-file <file>', 'with --endpoint: the file of the key, in place of the variable')
    .option('--temporal', 'with --endpoint: have workers ask it, as a workflow; needs a server and a CPU worker', false)
    .option('--workflow-id <id>', 'with --temporal: default: one of its own')
    .option('--detach', 'with --temporal: start it and return', false);
}

/** What asks for a model here, and means nothing to an endpoint. */
const ofModels = ['model', 'batchSize', 'computeDtype', 'weightDtype', 'trainer'] as const;
/** What asks an endpoint, and means nothing to a model here. */
const ofEndpoints = [
  ...(['modelName', 'concurrency', 'requestsPerMinute'] as const),
  ...(['requestTimeout', 'apiKeyVariable', 'apiKeyFile'] as const),
];

/** @throws InputError for an option of an endpoint where none is named */
export function refuseWithoutEndpoint(options: EndpointOptions): void {
  if (options.endpoint === undefined) {
    const useless = ofEndpoints.find((name) => options[name] !== undefined);
    if (useless !== undefined) throw uselessOption(useless, 'is for a server, and there is no --endpoint');
    if (options.temporal) throw uselessOption('temporal', 'is for --endpoint; rounds run on Temporal by `run`');
  }
  if (options.temporal) return;
  if (options.detach) throw uselessOption('detach', 'is for --temporal');
  if (options.workflowId !== undefined) throw uselessOption('workflowId', 'is for --temporal');
}

function uselessOption(name: string, problem: string): InputError {
  return wrongOption(flagOf(name), problem, 'Leave it out');
}

/** The options that an evaluation of a server may have. */
type EndpointCommand = EndpointOptions &
  SetOptions &
  Omit<ConfigOptions, 'config'> & { config?: string; round: number } & Partial<
    Record<(typeof ofModels)[number], unknown>
  >;

function refuseOfModels(options: EndpointCommand): void {
  const useless = ofModels.find((name) => options[name] !== undefined);
  if (useless !== undefined) throw uselessOption(useless, 'is for a model here, not for a server');
}

/** Evaluates an endpoint on a set, and prints the scores. */
export async function runEndpointEvaluation(
  options: EndpointCommand,
  set: EvaluationSet,
  config: Config | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { endpoint = '', output = 'runs/evaluations/endpoints' } = options;
  refuseOfModels(options);
  const [{ evaluateEndpoint }, { endpointInput }] = await Promise.all([
    import('../src/round/evaluate/evaluate-endpoint.ts'),
    import('../src/round/evaluate/evaluate-for-worker.ts'),
  ]);
  const display = createProgressDisplay();
  try {
    const input: EvaluateEndpointInput = {
      ...endpointInput({ ...options, endpoint }, config),
      set,
      output,
      access: await loadWorkerSettings(),
      onProgress: (progress) => display.show(`evaluate ${set.name}`, progress),
      signal,
    };
    const { scores, folder } = await withJudge(set, options, config, input, (judge) =>
      evaluateEndpoint({ ...input, judge }),
    );
    display.stop();
    printScores(scores, folder);
  } finally {
    display.stop();
  }
}

/** Has workers evaluate an endpoint, and prints the scores unless told to return at once. Ctrl-C ends the waiting alone. */
export async function startEndpointEvaluation(
  options: EndpointCommand,
  config: Config | undefined,
  signal: AbortSignal,
): Promise<void> {
  refuseOfModels(options);
  const { temporal: _, detach, workflowId = `evaluation-${randomUUID()}`, round: __, run: ___, ...asked } = options;
  const { cpu, teacher } = config === undefined ? usualTaskQueues : taskQueuesOf(config);
  const onDisk = (['config', 'dataRoot', 'tsv', 'file', 'images', 'output', 'apiKeyFile'] as const).flatMap((name) =>
    asked[name] === undefined ? [] : [[name, resolve(asked[name])]],
  );
  // Other options of the command mean nothing to a workflow.
  const known = Object.entries(asked).filter(([name]) => Object.hasOwn(endpointEvaluationInputSchema.shape, name));
  const input = { ...Object.fromEntries([...known, ...onDisk]), teacherQueue: teacher };
  await withClient(async (client) => {
    const handle = await client.workflow.start('dataEngineEndpointEvaluation', {
      taskQueue: cpu,
      workflowId,
      args: [input],
      staticSummary: `Evaluation of ${asked.endpoint}`,
    });
    say(`Workflow ${workflowId}`);
    if (detach) return;
    const { scores, folder } = (await unlessAborted(handle.result(), signal)) as EndpointEvaluation;
    printScores(scores, folder);
  });
}

function unlessAborted<R>(work: Promise<R>, signal: AbortSignal): Promise<R> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}
