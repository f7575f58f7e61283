/** The part of `dataengine evaluate` that asks a server. */
import type { Command } from 'commander';
import type { Config } from '../src/config/schema.ts';
import type { ExifMode } from '../src/core/images/image-kind.ts';
import type { InputError } from '../src/core/input-error.ts';
import { loadWorkerSettings } from '../src/core/worker-settings.ts';
import type { EvaluateEndpointInput } from '../src/round/evaluate/evaluate-endpoint.ts';
import type { EvaluationSet } from '../src/round/evaluation-sets.ts';
import { withJudge } from './evaluate-judged.ts';
import { type ConfigOptions, flagOf, integer, wrongOption } from './options.ts';
import { createProgressDisplay } from './progress-display.ts';
import { formatScores } from './scores-table.ts';

export interface EndpointOptions {
  endpoint?: string;
  modelName?: string;
  concurrency?: number;
  requestsPerMinute?: number;
  requestTimeout?: number;
  apiKeyVariable?: string;
  apiKeyFile?: string;
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
    .option('--api-key-file <file>', 'with --endpoint: the file of the key, in place of the variable');
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
  }
}

function uselessOption(name: string, problem: string): InputError {
  return wrongOption(flagOf(name), problem, 'Leave it out');
}

/** Evaluates an endpoint on a set, and prints the scores. */
export async function runEndpointEvaluation(
  options: EndpointOptions &
    Omit<ConfigOptions, 'config'> & { config?: string; round: number; output?: string; exif?: ExifMode } & Partial<
      Record<(typeof ofModels)[number], unknown>
    >,
  set: EvaluationSet,
  config: Config | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { endpoint: url = '', modelName: model, output = 'runs/evaluations/endpoints' } = options;
  const useless = ofModels.find((name) => options[name] !== undefined);
  if (useless !== undefined) throw uselessOption(useless, 'is for a model here, not for a server');
  const { evaluateEndpoint } = await import('../src/round/evaluate/evaluate-endpoint.ts');
  const display = createProgressDisplay();
  try {
    const input: EvaluateEndpointInput = {
      set,
      endpoint: {
        url,
        model,
        requestTimeoutSeconds: options.requestTimeout ?? 300,
        apiKeyVariable: options.apiKeyVariable,
        apiKeyFile: options.apiKeyFile,
      },
      output,
      exif: options.exif ?? config?.data.exif ?? 'apply',
      concurrency: options.concurrency ?? 8,
      limits: { requestsPerMinute: options.requestsPerMinute },
      bootstrap: { samples: config?.evaluate.bootstrapSamples ?? 1000, seed: options.seed ?? config?.seed ?? 42 },
      access: await loadWorkerSettings(),
      onProgress: (progress) => display.show(`evaluate ${set.name}`, progress),
      signal,
    };
    const { scores, folder } = await withJudge(set, options, config, input, (judge) =>
      evaluateEndpoint({ ...input, judge }),
    );
    display.stop();
    process.stdout.write(`${formatScores(scores)}\nIn ${folder}\n`);
  } finally {
    display.stop();
  }
}
