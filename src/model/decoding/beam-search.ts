/**
 * The bookkeeping of beam search for one request: which sequences continue, which are finished, and when it is over.
 *
 * Follows `GenerationMixin._beam_search` of transformers 5.23 step by step, so that both give the same tokens and
 * scores; scores are rounded to 32 bits where PyTorch computes in them.
 */
import type { BeamSearch } from './settings.ts';

/** Keeps a sequence out of every choice, and can still be added to. */
const OUT = -1e9;

/** A continuation: a running beam with one more token. */
export interface Candidate {
  /** Index of the beam. */
  beam: number;
  token: number;
  /** Sum of the log probabilities, this token's included. */
  score: number;
}

interface Beam {
  tokens: readonly number[];
  score: number;
}

interface FinishedBeam extends Beam {
  isFinished: boolean;
}

export interface BeamStep {
  /** For each beam that runs on: which one it comes from, its newest token, and its score. */
  parents: number[];
  tokens: number[];
  scores: number[];
  /** Nothing can improve any more; the beams need not be run on. */
  isOver: boolean;
}

export interface BeamSearchState {
  /** How many candidates each step wants: enough that `beams` remain when all of the best ones end. */
  candidateCount: number;
  /**
   * @param candidates the `candidateCount` best continuations, best first; before the first step all beams are
   *   the same, so that the candidates are those of one of them
   * @param ends whether a sequence of new tokens is finished
   */
  advance(candidates: readonly Candidate[], ends: (tokens: readonly number[]) => boolean): BeamStep;
  /** The best finished sequence. */
  best(): { tokens: readonly number[]; score: number };
}

/** The `count` highest of the items, highest first; of equals the earlier. */
function highest<T extends { score: number }>(items: readonly T[], count: number): T[] {
  return items
    .map((item, index) => ({ item, index }))
    .sort((a, b) => b.item.score - a.item.score || a.index - b.index)
    .slice(0, count)
    .map(({ item }) => item);
}

export function beamSearch(settings: BeamSearch, endTokenCount: number, maximumNewTokens: number): BeamSearchState {
  const { beams, lengthPenalty, earlyStopping } = settings;
  let running: Beam[] = Array.from({ length: beams }, () => ({ tokens: [], score: 0 }));
  let finished: FinishedBeam[] = running.map(() => ({ tokens: [], score: OUT, isFinished: false }));
  let canImprove = true;
  const normalized = (score: number, length: number) => Math.fround(score / Math.fround(length ** lengthPenalty));

  return {
    candidateCount: Math.max(2, 1 + endTokenCount) * beams,
    advance(candidates, ends) {
      const continued = candidates.map(({ beam, token, score }) => {
        const tokens = [...(running[beam] as Beam).tokens, token];
        return { parent: beam, token, tokens, score, hasEnded: ends(tokens) };
      });
      const length = (continued[0]?.tokens.length ?? 0) as number;
      const continuing = highest(
        continued.map((item) => ({ ...item, score: Math.fround(item.score + (item.hasEnded ? OUT : 0)) })),
        beams,
      );

      // Only the best `beams` may finish: the others are there so that enough can run on.
      const isFull = earlyStopping === true && finished.every(({ isFinished }) => isFinished);
      const justFinished = continued.map(({ tokens, score, hasEnded }, rank): FinishedBeam => {
        const isFinished = hasEnded && rank < beams;
        let final = normalized(score, length);
        for (const isOut of [isFull, !canImprove, !isFinished]) final = Math.fround(final + (isOut ? OUT : 0));
        return { tokens, score: final, isFinished };
      });
      finished = highest([...finished, ...justFinished], beams);
      running = continuing;

      const isOpenEnded = earlyStopping === 'never' && lengthPenalty > 0;
      const bestPossible = normalized(continuing[0]?.score ?? OUT, isOpenEnded ? maximumNewTokens : length);
      const worst = Math.min(...finished.map(({ score }) => score));
      // A place that no sequence has taken yet can always be improved on.
      canImprove &&= finished.some(({ isFinished }) => bestPossible > (isFinished ? worst : OUT));

      const allFinished = finished.every(({ isFinished }) => isFinished);
      return {
        parents: continuing.map(({ parent }) => parent),
        tokens: continuing.map(({ token }) => token),
        scores: continuing.map(({ score }) => score),
        isOver: !canImprove || (earlyStopping === true && allFinished) || continued.every(({ hasEnded }) => hasEnded),
      };
    },
    best() {
      const { tokens, score } = finished[0] as FinishedBeam;
      return { tokens, score };
    },
  };
}
