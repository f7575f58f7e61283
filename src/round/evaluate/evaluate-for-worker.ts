/** An evaluation of an endpoint that a workflow asks for: held to the settings of the worker. */
import { join } from 'node:path';
import { loadConfig } from '../../config/load-config.ts';
import type { Config } from '../../config/schema.ts';
import { requirePathAccess, requireRunsAccess, requireTeacherAccess } from '../../core/access.ts';
import type { ExifMode } from '../../core/images/image-kind.ts';
import { InputError } from '../../core/input-error.ts';
import type { WorkerSettings } from '../../core/worker-settings.ts';
import { endpointUrl } from '../../evaluation/endpoint/client.ts';
import type { Scores } from '../../evaluation/evaluation-files.ts';
import { chooseSet, type SetOptions } from './choose-set.ts';
import { type EvaluateEndpointInput, evaluateEndpoint } from './evaluate-endpoint.ts';

/** The options of `dataengine evaluate --endpoint`. */
export interface EndpointOptions extends SetOptions {
  endpoint: string;
  modelName?: string | undefined;
  concurrency?: number | undefined;
  requestsPerMinute?: number | undefined;
  /** In seconds. */
  requestTimeout?: number | undefined;
  apiKeyVariable?: string | undefined;
  apiKeyFile?: string | undefined;
  exif?: ExifMode | undefined;
  seed?: number | undefined;
  output?: string | undefined;
}

/** What an evaluation of an endpoint takes of its options, where no config says otherwise. */
export function endpointInput(
  {
    endpoint: url,
    modelName: model,
    concurrency = 8,
    requestsPerMinute,
    requestTimeout = 300,
    ...options
  }: EndpointOptions,
  config: Config | undefined,
): Pick<EvaluateEndpointInput, 'endpoint' | 'exif' | 'concurrency' | 'limits' | 'bootstrap'> {
  const { apiKeyVariable, apiKeyFile } = options;
  return {
    endpoint: { url, model, requestTimeoutSeconds: requestTimeout, apiKeyVariable, apiKeyFile },
    exif: options.exif ?? config?.data.exif ?? 'apply',
    concurrency,
    limits: { requestsPerMinute },
    bootstrap: { samples: config?.evaluate.bootstrapSamples ?? 1000, seed: options.seed ?? config?.seed ?? 42 },
  };
}

/**
 * Evaluates an endpoint for a workflow. What is answered is kept in the folder, for the next attempt and the next workflow.
 *
 * @returns the scores, and the folder on the worker's disk that has them and all answers
 * @throws InputError for files, folders, keys and servers that this worker may not use; what `evaluateEndpoint` throws
 */
export async function evaluateEndpointForWorker(
  options: EndpointOptions & { config?: string | undefined; dataRoot?: string | undefined },
  { access, signal, onProgress }: Pick<EvaluateEndpointInput, 'signal' | 'onProgress'> & { access: WorkerSettings },
): Promise<{ scores: Scores; folder: string }> {
  const { dataRoot, seed, output = join(access.runs[0] as string, 'evaluations', 'endpoints') } = options;
  await requireRunsAccess(access, output);
  const address = endpointUrl(options.endpoint);
  requireTeacherAccess(access, address, { file: 'command line', field: '--endpoint' });
  const config =
    options.config === undefined ? undefined : await loadConfig(options.config, { dataRoot, seed }, access);
  const set = chooseSet(options, config && { config, run: { root: output } });
  if (set.questions?.metric === 'judge') {
    throw new InputError({
      file: 'command line',
      field: '--metric',
      problem: 'judge is not supported here: what it costs would be in the ledger of no run',
      remedy: 'Start the command without --temporal, or take another metric',
    });
  }
  await requirePathAccess(access, 'data', { path: set.file, field: 'file' });
  if (set.images !== undefined) await requirePathAccess(access, 'data', { path: set.images, field: 'images' });
  return evaluateEndpoint({
    ...endpointInput(options, config),
    ...{ set, output, access, signal, onProgress },
  });
}
