/**
 * Draws a token: softmax of `logits / temperature`, cut to the likeliest tokens whose probabilities reach `topP`
 * together (at least one), as `TemperatureLogitsWarper` and `TopPLogitsWarper` of transformers.
 *
 * @param logits float32 `[vocabulary]`
 * @param uniform a random number in [0, 1)
 */
export function sampleToken(logits: Float32Array, temperature: number, topP: number, uniform: number): number {
  const { tokens, probabilities } = nucleus(logits, temperature, topP);
  const total = probabilities.reduce((sum, probability) => sum + probability, 0);
  let remaining = uniform * total;
  for (const [index, probability] of probabilities.entries()) {
    remaining -= probability;
    if (remaining < 0) return tokens[index] as number;
  }
  return tokens.at(-1) as number;
}

/** The tokens that may be drawn, the likeliest first, with their probabilities among all tokens. */
export function nucleus(
  logits: Float32Array,
  temperature: number,
  topP: number,
): { tokens: number[]; probabilities: number[] } {
  const highest = logits.reduce((maximum, logit) => Math.max(maximum, logit), Number.NEGATIVE_INFINITY);
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - highest) / temperature));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const order = Uint32Array.from(weights.keys());
  order.sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b);
  const tokens: number[] = [];
  const probabilities: number[] = [];
  let reached = 0;
  for (const token of order) {
    if (reached >= topP && tokens.length > 0) break;
    const probability = (weights[token] as number) / sum;
    tokens.push(token);
    probabilities.push(probability);
    reached += probability;
  }
  return { tokens, probabilities };
}
