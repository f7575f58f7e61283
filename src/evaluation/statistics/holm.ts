/**
 * Holm's correction (1979) of p-values of tests that are made at once: whoever calls those below a level significant
 * is wrong about any true hypothesis at most that often, however the tests depend on one another.
 *
 * @returns the adjusted p-values, in the order given, each at least as large as the given one and at most 1
 */
export function holmAdjusted(pValues: readonly number[]): number[] {
  const order = pValues.map((_, index) => index).sort((left, right) => at(pValues, left) - at(pValues, right));
  const adjusted: number[] = [];
  let largest = 0;
  for (const [rank, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * at(pValues, index)));
    adjusted[index] = largest;
  }
  return adjusted;
}

function at(values: readonly number[], index: number): number {
  return values[index] as number;
}
