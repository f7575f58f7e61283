/** This program's own answers and scores at the same server, as `dataengine evaluate --endpoint` has them. */
import { join } from 'node:path';
import { z } from 'zod';
import { readJsonLines } from '../../src/core/read-json.ts';
import { loadWorkerSettings } from '../../src/core/worker-settings.ts';
import { readQuestionScores, type Scores } from '../../src/evaluation/evaluation-files.ts';
import { evaluateEndpoint } from '../../src/round/evaluate/evaluate-endpoint.ts';
import type { EvaluationSet } from '../../src/round/evaluation-sets.ts';
import type { Server } from './bridge-part.ts';
import type { Own } from './compare.ts';

const predictionSchema = z.looseObject({ question_id: z.string(), text: z.string().optional() });

/**
 * Choices are answered in writing, as other programs have them answered.
 *
 * @param measure whose scores are returned
 */
export async function evaluateHere(
  set: Omit<EvaluationSet, 'name' | 'blind' | 'answerMode'>,
  measure: string,
  { url, model, output }: Server & { output: string },
): Promise<{ answers: Own[]; scores: Scores }> {
  const { scores, folder } = await evaluateEndpoint({
    set: { ...set, name: set.benchmark, blind: false, answerMode: 'generated' },
    endpoint: { url, model, requestTimeoutSeconds: 300, apiKeyVariable: undefined, apiKeyFile: undefined },
    output,
    exif: 'apply',
    concurrency: 8,
    limits: { requestsPerMinute: undefined },
    bootstrap: { samples: 1000, seed: 42 },
    access: await loadWorkerSettings(),
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  const predictions = await readJsonLines(join(folder, 'predictions.jsonl'), predictionSchema);
  const textOf = new Map(predictions.map((one) => [one.question_id, one.text ?? '']));
  const scored = (await readQuestionScores(folder)).filter((one) => one.measure === measure);
  return { answers: scored.map(({ id, score }) => ({ id, score, answer: textOf.get(id) ?? '' })), scores };
}
