/**
 * Which new samples are worth learning, by the model that is to learn them: those that it gets right now and then. What it gets
 * right anyway teaches nothing, and what it never gets right is often wrong itself, for the teacher errs too.
 *
 * The idea is that of balanced filters in reinforcement learning (Bae et al., *Online Difficulty Filtering for Reasoning Oriented
 * Reinforcement Learning*, arXiv 2504.03380), which keep tasks of an intermediate pass rate. There, answers are drawn several times;
 * here the choices are ranked once, and their losses say how likely each is.
 */
import { seededRandom } from '../core/seeded-random.ts';
import type { Rejection, RejectionReason } from './filters.ts';

export interface DifficultyWindow {
  /** Probabilities of the right choice, both included. */
  from: number;
  to: number;
}

/**
 * How likely the model is to choose the right choice: the softmax of minus the losses that choices are ranked by. These are means
 * over the tokens of an answer, so the probabilities are nearer to one another than those of whole answers.
 *
 * @param losses one for each choice, in nats a token
 * @param correct place of the right choice
 * @returns 0 to 1
 * @throws RangeError where there is no such choice
 */
export function probabilityOfRight(losses: readonly number[], correct: number): number {
  const right = losses[correct];
  if (right === undefined) throw new RangeError(`There is no choice ${correct} among ${losses.length}`);
  // Each summand against the right choice's, which is 1.
  return 1 / losses.reduce((sum, loss) => sum + Math.exp(right - loss), 0);
}

/**
 * Chooses samples by the probability of their right choice.
 *
 * Where more are within the window than wanted, so many are drawn from them, each with the same chance: of question types there are
 * then as many as the draw of requests and the window leave. Where there are fewer, all of them are kept and no other: a sample that
 * is out of the window is not what was asked for.
 *
 * @param probabilities one for each sample
 * @param input.most how many are kept at most
 * @returns for each sample why it is rejected; undefined for one that is kept
 */
export function rejectedByDifficulty(
  probabilities: readonly number[],
  { window: { from, to }, most, seed }: { window: DifficultyWindow; most: number; seed: number | string },
): (Rejection | undefined)[] {
  const within = [...probabilities.keys()].filter((index) => {
    const probability = probabilities[index] as number;
    return probability >= from && probability <= to;
  });
  const kept = new Set(seededRandom(seed).fork('select').shuffle(within).slice(0, most));
  return probabilities.map((probability, index) => {
    if (kept.has(index)) return undefined;
    const chosen = `the model chooses the right choice with probability ${probability.toFixed(3)}`;
    const reject = (reason: RejectionReason, limit: string) => ({ reason, detail: `${chosen}; ${limit}` });
    if (probability < from) return reject('too_hard', `sampling.difficulty.from is ${from}`);
    if (probability > to) return reject('too_easy', `sampling.difficulty.to is ${to}`);
    return reject('more_than_requested', `${most} others were drawn`);
  });
}
