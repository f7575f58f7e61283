/** How text is written: the choice of each next token, and when to stop. */

/** The likeliest token each time. */
export interface Greedy {
  kind: 'greedy';
}

/** A token drawn at random, likelier ones more often. */
export interface Sampling {
  kind: 'sample';
  /** Logits are divided by it: below 1 nearer to greedy, above 1 more varied. */
  temperature: number;
  /** Only the likeliest tokens that together have this probability are drawn from (arXiv 1904.09751). */
  topP: number;
  /** The same seed gives the same text for a request, whatever other requests are in the batch. */
  seed: number;
}

/** The sequence with the best score among several that are followed at once. */
export interface BeamSearch {
  kind: 'beam';
  beams: number;
  /** A sequence's score is the sum of its log probabilities over `length ** lengthPenalty`: above 0 favors length. */
  lengthPenalty: number;
  /**
   * `true` ends as soon as there are `beams` finished sequences; `false` when a running one at its present length
   * can't win; `'never'` when none can at any length.
   */
  earlyStopping: boolean | 'never';
}

export type Strategy = Greedy | Sampling | BeamSearch;

export interface DecodingSettings {
  strategy: Strategy;
  maximumNewTokens: number;
  /** Token ids that end a sequence. */
  endTokens: readonly number[];
  /** Texts that end a sequence and are no part of it, wherever they lie among the tokens. */
  stopStrings?: readonly string[];
}

/**
 * @throws RangeError naming the setting that makes no sense
 */
export function checkDecodingSettings({ strategy, maximumNewTokens, stopStrings = [] }: DecodingSettings): void {
  const require = (holds: boolean, problem: string) => {
    if (!holds) throw new RangeError(problem);
  };
  require(Number.isInteger(maximumNewTokens) && maximumNewTokens > 0, 'maximumNewTokens must be a positive integer');
  require(stopStrings.every((text) => text !== ''), 'a stop string must not be empty');
  if (strategy.kind === 'sample') {
    require(strategy.temperature > 0 && strategy.temperature < Infinity, 'temperature must be above 0');
    require(strategy.topP > 0 && strategy.topP <= 1, 'topP must be above 0 and at most 1');
  }
  if (strategy.kind === 'beam') {
    require(Number.isInteger(strategy.beams) && strategy.beams > 1, 'beams must be an integer above 1');
    require(Number.isFinite(strategy.lengthPenalty), 'lengthPenalty must be a number');
  }
}
