import type { EvaluationAnswer } from '../trainer/job-files.ts';
import type { AnsweredQuestion, BenchmarkQuestion } from './benchmarks/benchmark.ts';

/**
 * The most likely choice: that of the lowest mean loss, the first of equals. A loss that is not a number never wins.
 *
 * @throws Error when there is no loss that is a number.
 */
export function likeliestChoice(losses: readonly number[]): number {
  let best = -1;
  for (const [index, loss] of losses.entries()) {
    if (!Number.isNaN(loss) && (best < 0 || loss < (losses[best] as number))) best = index;
  }
  if (best < 0) throw new Error('The model gave no loss for any of the choices');
  return best;
}

/**
 * Joins questions with the losses and written answers that shards found for them, in the order of the questions.
 * Where nothing was ranked there is no choice yet.
 *
 * @param answerCount how many answers of a question are ranked
 * @throws Error when a question has no losses, or not one for each answer.
 */
export function rankAnswers<Q extends BenchmarkQuestion>(
  questions: readonly Q[],
  losses: readonly EvaluationAnswer[],
  answerCount: (question: Q) => number,
): AnsweredQuestion<Q>[] {
  const entryOf = new Map(losses.map((entry) => [entry.question_id, entry]));
  return questions.map((question) => {
    const entry = entryOf.get(question.id);
    if (!entry) throw new Error(`Question ${question.id} was not evaluated`);
    const { losses: found, text, choice: written, score: given } = entry;
    const wanted = answerCount(question);
    const withText = { ...(text !== undefined && { text }), ...(given !== undefined && { given }) };
    if (written !== undefined) return { question, choice: written ?? undefined, losses: [], ...withText };
    if (found.length !== wanted) {
      throw new Error(`Question ${question.id} has ${wanted} answers to rank, but ${found.length} losses`);
    }
    const choice = wanted === 0 ? undefined : likeliestChoice(found);
    return { question, choice, losses: found, ...withText };
  });
}
