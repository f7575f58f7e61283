import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { usualWorkerSettings } from '../../../src/core/worker-settings.ts';
import type { EvaluateEndpointInput } from '../../../src/round/evaluate/evaluate-endpoint.ts';
import type { EvaluationSet } from '../../../src/round/evaluation-sets.ts';
import { evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import {
  startToyServer,
  type ToyRequest,
  type ToyServer,
  type ToySettings,
} from '../../evaluation/endpoint/toy-server.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import type { TinyQuestions } from '../../helpers/tiny-model.ts';

/** A toy server for one test. */
export async function server(settings: Partial<ToySettings> = {}): Promise<ToyServer> {
  const toy = await startToyServer({ seed: 'toy', logprobs: 'vllm', ...settings });
  onTestFinished(() => toy.close());
  return toy;
}

/** The tiny A-OKVQA questions as a set. */
export function setOf(tiny: TinyQuestions, changes: Partial<EvaluationSet> = {}): EvaluationSet {
  const { file, images } = tiny;
  return { name: 'aokvqa', benchmark: 'aokvqa', file, images, blind: false, answerMode: 'ranked', ...changes };
}

/** What `evaluateEndpoint` takes, with a folder of its own. */
export async function input(url: string, set: EvaluationSet, changes: Partial<EvaluateEndpointInput> = {}) {
  return {
    set,
    endpoint: { url, model: 'toy', requestTimeoutSeconds: 30 },
    output: await temporaryFolder(),
    exif: 'apply',
    concurrency: 4,
    limits: {},
    bootstrap: { samples: 100, seed: 1 },
    access: usualWorkerSettings(),
    onProgress: () => undefined,
    signal: new AbortController().signal,
    ...changes,
  } satisfies EvaluateEndpointInput;
}

export const answersIn = (folder: string) =>
  readJsonLines(join(folder, 'answers', 'answers.jsonl'), evaluationAnswerSchema);
/** Requests about a question of the set: not those by which a server is identified. */
export const about = (tiny: TinyQuestions, received: readonly ToyRequest[]) =>
  received.filter(({ messages }) => tiny.questions.some(({ question }) => JSON.stringify(messages).includes(question)));
