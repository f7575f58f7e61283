/**
 * Answers a shard's questions by a server that this worker starts with the merged model, and stops again: one activity, so that
 * the GPU is free for the next.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Manifest, runStepOnce } from '../../core/manifest.ts';
import { readJson } from '../../core/read-json.ts';
import { usualWorkerSettings } from '../../core/worker-settings.ts';
import { writeJson, writeJsonLines } from '../../core/write-file.ts';
import { endpointClient } from '../../evaluation/endpoint/client.ts';
import { type Ranking, rankings } from '../../evaluation/endpoint/rankings.ts';
import type { EvaluationQuestion } from '../../trainer/job-files.ts';
import { killPreviousServer, withServer } from '../../trainer/supervisor/run-server.ts';
import { hashAsked } from '../evaluation-sets.ts';
import { requireServeCommand } from '../serve.ts';
import type { StepContext } from '../step-context.ts';
import { askSameModel, identifyEndpoint } from './ask-same-model.ts';
import { lossesFile } from './rank-questions.ts';

/** Raised whenever the same server may give other answers to the same questions. */
const servedVersion = 1;
const servedFile = 'served.json';
const callsFolder = 'calls';
/** Nothing of a request is long: the model is loaded already. */
const requestTimeoutSeconds = 600;

const servedSchema = z.object({ ranking: z.enum(rankings), fingerprint: z.string() });

/**
 * Has a server of the worker's settings answer the questions: `losses.jsonl` in the step's folder, and `served.json`, which says
 * how choices were found. Answers of an interrupted attempt are kept as long as the model writes the same.
 *
 * @throws InputError when this worker has no such server; TrainerError when it does not start, or ends too early
 */
export async function answerByServer({
  context,
  directory,
  model,
  openModel,
  modelFiles,
  asked,
  blind,
  inputs,
}: {
  context: StepContext;
  directory: string;
  model: string;
  /** Called before the model is read: not where the answers are there already. */
  openModel: () => Promise<unknown>;
  /** File → SHA-256 of the model directory. */
  modelFiles: Record<string, string>;
  asked: readonly EvaluationQuestion[];
  blind: boolean;
  /** What else the result depends on. */
  inputs: Record<string, unknown>;
}): Promise<{ manifest: Manifest; skipped: boolean }> {
  const { config, onProgress } = context;
  const { serve: name = '', concurrency } = config.evaluate;
  const { exif } = config.data;
  const command = await requireServeCommand(context, { name, field: 'evaluate.serve' });
  await killPreviousServer(directory);
  return runStepOnce({
    directory,
    step: 'evaluate-shard',
    inputs: {
      ...inputs,
      ...{ version: servedVersion, model: modelFiles, asked: hashAsked(asked), exif },
      serve: { name, command: command.command },
    },
    work: async () => {
      await openModel();
      return withServer({ ...command, model, directory, signal: context.signal }, async ({ url, signal }) => {
        // A server on this machine that was started here gets no key.
        const client = endpointClient({ url, requestTimeoutSeconds }, { ...usualWorkerSettings(), secrets: [] });
        const endpoint = await identifyEndpoint(client, { url, serve: name, blind, signal });
        const served = { ranking: endpoint.ranking, fingerprint: endpoint.identified.fingerprint };
        const calls = join(directory, callsFolder);
        const earlier = await readServed(directory).catch(() => undefined);
        if (earlier !== undefined && earlier.fingerprint !== served.fingerprint) {
          await rm(calls, { recursive: true, force: true });
        }
        await writeJson(join(directory, servedFile), served);
        const answers = await askSameModel({
          ...endpoint,
          ...{ url, blind, exif, concurrency, limits: {}, onProgress, signal },
          questions: asked,
          folder: calls,
        });
        await writeJsonLines(join(directory, lossesFile), answers);
        return { outputs: [lossesFile, servedFile], metrics: { questions: asked.length } };
      });
    },
  });
}

/** How the choices of a shard were found. */
export async function readRanking(directory: string): Promise<Ranking> {
  return (await readServed(directory)).ranking;
}

function readServed(directory: string) {
  return readJson(join(directory, servedFile), servedSchema);
}
