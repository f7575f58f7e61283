import limitConcurrency from 'p-limit';
import { openJsonLines } from '../store/append-json-lines.ts';
import { readJsonLines } from '../store/read-json.ts';
import type { TeacherAnswer } from './teacher.ts';
import { type VerificationAnswer, type VerificationRequest, verificationAnswer } from './verification.ts';

/**
 * Asks the teacher what the file has no answer to, and adds each answer to the file as soon as it is there. The first
 * error stops it: no new question is asked, those on their way are waited for and kept.
 *
 * @returns the answers to the requests; the file may have others, of earlier parsers or prompts
 * @throws what `ask` threw first; InputError for a broken line inside the file; StorageError for a full disk.
 */
export async function answerVerifications(input: {
  requests: readonly VerificationRequest[];
  resultFile: string;
  ask: (request: VerificationRequest) => Promise<TeacherAnswer>;
  concurrency: number;
  signal: AbortSignal;
  onProgress?: (answered: number, total: number) => void;
}): Promise<VerificationAnswer[]> {
  const { requests, resultFile, ask, signal, onProgress } = input;
  const results = await openJsonLines(resultFile);
  try {
    const wanted = new Set(requests.map(({ id }) => id));
    const answers = new Map(
      (await readJsonLines(resultFile, verificationAnswer))
        .filter(({ id }) => wanted.has(id))
        .map((answer) => [answer.id, answer]),
    );
    onProgress?.(answers.size, requests.length);
    const failures: unknown[] = [];
    const answerOne = async (request: VerificationRequest) => {
      if (failures.length > 0 || signal.aborted) return;
      try {
        const { text, model, usage } = await ask(request);
        const { id, request_id, kind } = request;
        const answer = { id, request_id, kind, raw_answer: text, model, usage };
        await results.append(answer);
        answers.set(id, answer);
        onProgress?.(answers.size, requests.length);
      } catch (error) {
        failures.push(error);
      }
    };
    const limit = limitConcurrency(input.concurrency);
    const missing = requests.filter(({ id }) => !answers.has(id));
    await Promise.all(missing.map((request) => limit(answerOne, request)));
    signal.throwIfAborted();
    if (failures.length > 0) throw failures[0];
    return [...answers.values()];
  } finally {
    await results.close();
  }
}
