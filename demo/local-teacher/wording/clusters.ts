import { cosine, countAll, weighRare } from './words.ts';

/** Questions that are worded alike, or a proposed type. */
export interface Unit {
  size: number;
  grams: ReadonlyMap<string, number>;
  /** Answer → how often. */
  answers: ReadonlyMap<string, number>;
}

/** Units of a similarity from here on become one. */
const alikeFrom = 0.45;
/** Fewer different answers tell what is asked about, not how. */
const fewestAnswers = 3;

/**
 * Groups units by agglomerative clustering with average linkage: alike are those of the same wording, and those with the same
 * answers, as far as other units have neither.
 *
 * @returns positions of the units of each cluster
 */
export function clustersOf(units: readonly Unit[]): number[][] {
  const clusters = units.map((_, index) => [index]);
  const weights = units.map(({ size }) => size);
  const alike = similarities(units);
  for (;;) {
    const closest = closestPair(alike);
    if (closest === undefined) return clusters;
    const { left, right } = closest;
    // The average over all pairs of a joined cluster follows from those of its halves.
    const [ofLeft, ofRight] = [weights[left] as number, weights[right] as number];
    for (let other = 0; other < clusters.length; other += 1) {
      const joined =
        ((alike[left]?.[other] ?? 0) * ofLeft + (alike[right]?.[other] ?? 0) * ofRight) / (ofLeft + ofRight);
      (alike[left] as number[])[other] = joined;
      (alike[other] as number[])[left] = joined;
    }
    weights[left] = ofLeft + ofRight;
    clusters[left]?.push(...(clusters[right] as number[]));
    clusters.splice(right, 1);
    weights.splice(right, 1);
    alike.splice(right, 1);
    for (const row of alike) row.splice(right, 1);
  }
}

function closestPair(alike: readonly number[][]): { left: number; right: number } | undefined {
  let best = alikeFrom;
  let pair: { left: number; right: number } | undefined;
  for (let left = 0; left < alike.length; left += 1) {
    for (let right = left + 1; right < alike.length; right += 1) {
      const similarity = alike[left]?.[right] ?? 0;
      if (similarity < best || (pair !== undefined && similarity === best)) continue;
      best = similarity;
      pair = { left, right };
    }
  }
  return pair;
}

function similarities(units: readonly Unit[]): number[][] {
  const withGram = countAll(units.flatMap(({ grams }) => [...grams.keys()]));
  const withAnswer = countAll(units.flatMap(({ answers }) => [...answers.keys()]));
  const wordings = units.map(({ grams }) => weighRare(grams, withGram, units.length));
  const answers = units.map((unit) =>
    unit.answers.size < fewestAnswers ? new Map() : weighRare(unit.answers, withAnswer, units.length),
  );
  return units.map((_, left) =>
    units.map((_, right) => {
      const byWording = cosine(wordings[left] as Map<string, number>, wordings[right] as Map<string, number>);
      const byAnswers = cosine(answers[left] as Map<string, number>, answers[right] as Map<string, number>);
      return 1 - (1 - byWording) * (1 - byAnswers);
    }),
  );
}
