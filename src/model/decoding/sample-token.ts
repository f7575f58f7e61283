/** The choice of a token among a model's logits, float32 `[vocabulary]`. */

/**
 * Draws a token: softmax of `logits / temperature`, cut to the likeliest tokens whose probabilities reach `topP`
 * together (at least one), as `TemperatureLogitsWarper` and `TopPLogitsWarper` of transformers.
 *
 * @param uniform a random number in [0, 1)
 */
export function sampleToken(logits: Float32Array, temperature: number, topP: number, uniform: number): number {
  const weights = weightsOf(logits, temperature);
  // Without a cut the sum is known beforehand, and only as many as lie before the drawn one need an order.
  if (topP >= 1) return drawn(likeliest(weights, uniform), uniform);
  return drawn(nucleusOf(weights, topP), uniform);
}

/** The tokens that may be drawn, the likeliest first, with their probabilities among all tokens. */
export function nucleus(
  logits: Float32Array,
  temperature: number,
  topP: number,
): { tokens: number[]; probabilities: number[] } {
  const { tokens, probabilities } = nucleusOf(weightsOf(logits, temperature), topP);
  return { tokens, probabilities };
}

/** The token with the highest logit, the first of equals. */
export function greedyToken(logits: Float32Array): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) {
    if ((logits[token] as number) > (logits[best] as number)) best = token;
  }
  return best;
}

export interface TokenLogprob {
  id: number;
  logprob: number;
}

/** The log-probability of a token, and the `count` likeliest tokens with theirs, likeliest first. */
export function tokenLogprobs(
  logits: Float32Array,
  token: number,
  count: number,
): { logprob: number; top: TokenLogprob[] } {
  const { highest, sum } = weightsOf(logits, 1);
  const normalizer = highest + Math.log(sum);
  const top: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (top.length === count && (count === 0 || logit <= (logits[top[count - 1] as number] as number))) continue;
    let place = top.length;
    while (place > 0 && logit > (logits[top[place - 1] as number] as number)) place -= 1;
    top.splice(place, 0, id);
    if (top.length > count) top.pop();
  }
  const logprobOf = (id: number) => (logits[id] as number) - normalizer;
  return { logprob: logprobOf(token), top: top.map((id) => ({ id, logprob: logprobOf(id) })) };
}

interface WeightsOfTokens {
  /** The softmax of the logits but for its sum; the highest is 1. */
  weights: Float64Array;
  sum: number;
  /** The highest logit, over the temperature. */
  highest: number;
}

function weightsOf(logits: Float32Array, temperature: number): WeightsOfTokens {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  const weights = new Float64Array(logits.length);
  let sum = 0;
  for (let token = 0; token < logits.length; token++) {
    const weight = Math.exp(((logits[token] as number) - highest) / temperature);
    weights[token] = weight;
    sum += weight;
  }
  return { weights, sum, highest: highest / temperature };
}

/** Shares of the highest probability above which tokens are put in order; few are, of tens of thousands. */
const LEVELS = [2 ** -7, 2 ** -14, 2 ** -28, 0];

interface OrderedTokens {
  tokens: number[];
  probabilities: number[];
  /** Of the tokens that a draw is among. */
  total: number;
}

/** The likeliest tokens in their order, at least as many as reach `target`, a probability. */
function likeliest({ weights, sum }: WeightsOfTokens, target: number): OrderedTokens {
  for (const level of LEVELS) {
    const tokens: number[] = [];
    let reached = 0;
    for (let token = 0; token < weights.length; token++) {
      const weight = weights[token] as number;
      if (weight < level) continue;
      tokens.push(token);
      reached += weight;
    }
    // A little more than needed: the sums below are rounded in another order.
    if (level > 0 && reached / sum <= target + 1e-9) continue;
    tokens.sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b);
    return { tokens, probabilities: tokens.map((token) => (weights[token] as number) / sum), total: 1 };
  }
  throw new Error('no token has a probability');
}

function nucleusOf(weights: WeightsOfTokens, topP: number): OrderedTokens {
  const { tokens, probabilities } = likeliest(weights, topP);
  let reached = 0;
  let count = 0;
  while (count < tokens.length && (reached < topP || count === 0)) reached += probabilities[count++] as number;
  const kept = probabilities.slice(0, count);
  return { tokens: tokens.slice(0, count), probabilities: kept, total: reached };
}

function drawn({ tokens, probabilities, total }: OrderedTokens, uniform: number): number {
  let remaining = uniform * total;
  for (const [index, probability] of probabilities.entries()) {
    remaining -= probability;
    if (remaining < 0) return tokens[index] as number;
  }
  return tokens.at(-1) as number;
}
