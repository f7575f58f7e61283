/** Asks any server of chat completions the questions of the serving gate. */
import { usualWorkerSettings } from '../../core/worker-settings.ts';
import { endpointClient, listModels } from '../../evaluation/endpoint/client.ts';
import { rankingOf } from '../../evaluation/endpoint/fingerprint.ts';
import { askQuestion } from '../../evaluation/endpoint/questions.ts';
import type { GateAnswer } from '../../serving/gate/compare-answers.ts';
import type { EvaluationQuestion } from '../../trainer/job-files.ts';
import { onlyServedModel } from '../evaluate/ask-same-model.ts';
import type { StepContext } from '../step-context.ts';

export interface ServerToAsk extends Pick<StepContext, 'signal' | 'onProgress'> {
  /** Such as `http://127.0.0.1:8000/v1`; no key goes there. */
  url: string;
  exif: StepContext['config']['data']['exif'];
  /** Its name in the worker's settings; absent for our own. */
  serve?: string | undefined;
}

/** How long an answer may take. */
const answerSeconds = 600;
const mostOpenRequests = 8;

/**
 * Asks a server of chat completions about its only model. Losses are there where it gives log-probabilities of prompts.
 *
 * @throws TeacherError of the server's; InputError where it lists several models, or none, and for an image that can't be read
 */
export async function askServer(
  questions: readonly EvaluationQuestion[],
  { url, exif, serve, signal, onProgress }: ServerToAsk,
): Promise<GateAnswer[]> {
  const client = endpointClient(
    { url, requestTimeoutSeconds: answerSeconds },
    { ...usualWorkerSettings(), secrets: [] },
  );
  const model = onlyServedModel(await listModels(client, signal), serve);
  const ranking = await rankingOf(client, model, signal);
  const answers: GateAnswer[] = new Array(questions.length);
  const left = [...questions.entries()].reverse();
  let done = 0;
  const work = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [index, question] = next;
      const { question_id: id } = question;
      // Without losses, texts alone are compared: no choice is asked for in words.
      const asked = ranking === 'prompt-logprobs' ? question : { ...question, answers: [] };
      const { losses, text = '' } = await askQuestion(asked, { client, model, ranking, exif, signal, call: id });
      answers[index] = { id, text, ...(ranking === 'prompt-logprobs' && { losses }) };
      done += 1;
      onProgress({ phase: 'served', step: done, steps: questions.length });
    }
  };
  await Promise.all(Array.from({ length: mostOpenRequests }, work));
  return answers;
}
