import { type SeededRandom, seededRandom } from '../../core/seeded-random.ts';

/** Questions that stay together: those of an image, and of images that look like it. */
export interface QuestionGroup {
  /** Identifies it, whatever the order of the questions is. */
  key: string;
  /** Questions by type. */
  counts: ReadonlyMap<string, number>;
}

/**
 * Divides groups so that each side gets about its share of the questions of every type, by iterative stratification (Sechidis,
 * Tsoumakas, Vlahavas: On the Stratification of Multi-label Data, 2011): rare types first, large groups before small ones, to
 * the side that lacks most of its share. Groups of the same size are in an order that depends on seed and keys alone.
 *
 * @param shares of each side, 1 together
 * @returns the side of each group, by its place in `shares`
 */
export function chooseSides(
  groups: readonly QuestionGroup[],
  { shares, seed }: { shares: readonly number[]; seed: number | string },
): number[] {
  const random = seededRandom(seed).fork('split');
  const order = inSeededOrder(groups, random);
  const totals = new Map<string, number>();
  for (const { counts } of groups) {
    for (const [type, count] of counts) totals.set(type, (totals.get(type) ?? 0) + count);
  }
  const sides = shares.map((share) => new Side(share, totals));
  const sideOf = new Map<QuestionGroup, number>();
  let left = order;
  while (left.length > 0) {
    const type = rarestType(left);
    for (const group of left) {
      if (!group.counts.has(type)) continue;
      const chosen = neediest(sides, group, type, random);
      (sides[chosen] as Side).add(group);
      sideOf.set(group, chosen);
    }
    left = left.filter((group) => !sideOf.has(group));
  }
  return groups.map((group) => sideOf.get(group) as number);
}

/** Larger ones first. */
function inSeededOrder(groups: readonly QuestionGroup[], random: SeededRandom): QuestionGroup[] {
  const byKey = [...groups].sort((left, right) => (left.key < right.key ? -1 : 1));
  return random
    .fork('order')
    .shuffle(byKey)
    .sort((left, right) => sizeOf(right) - sizeOf(left));
}

function sizeOf({ counts }: QuestionGroup): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

/** The type that the fewest groups have, the first by name of several. */
function rarestType(groups: readonly QuestionGroup[]): string {
  const numbers = new Map<string, number>();
  for (const { counts } of groups) for (const type of counts.keys()) numbers.set(type, (numbers.get(type) ?? 0) + 1);
  const [[type = ''] = []] = [...numbers].sort(
    ([left, few], [right, many]) => few - many || (left < right ? -1 : left > right ? 1 : 0),
  );
  return type;
}

/** What a side still lacks of its share. */
class Side {
  private readonly share: number;
  private readonly lacks: Map<string, number>;
  private readonly totals: ReadonlyMap<string, number>;
  private lacksInAll: number;
  private readonly total: number;

  constructor(share: number, totals: ReadonlyMap<string, number>) {
    this.share = share;
    this.totals = totals;
    this.total = [...totals.values()].reduce((sum, count) => sum + count, 0);
    this.lacks = new Map([...totals].map(([type, count]) => [type, share * count]));
    this.lacksInAll = share * this.total;
  }

  add(group: QuestionGroup): void {
    for (const [type, count] of group.counts) this.lacks.set(type, (this.lacks.get(type) ?? 0) - count);
    this.lacksInAll -= sizeOf(group);
  }

  /** Whether the group is no more than what the side lacks. */
  canHold(group: QuestionGroup, type: string): boolean {
    return (this.lacks.get(type) ?? 0) >= (group.counts.get(type) ?? 0) && this.lacksInAll >= sizeOf(group);
  }

  /** How much it lacks: in parts of its own share, and in numbers. */
  needs(type: string): { parts: [ofType: number, inAll: number]; numbers: [ofType: number, inAll: number] } {
    const ofType = this.lacks.get(type) ?? 0;
    const wanted = this.share * (this.totals.get(type) ?? 0);
    return {
      parts: [ofType / wanted, this.lacksInAll / (this.share * this.total)],
      numbers: [ofType, this.lacksInAll],
    };
  }
}

/**
 * Of the sides that can hold the group the one that lacks the largest part of its share, so that large groups are on every side;
 * if none can, the one that lacks the most.
 */
function neediest(sides: readonly Side[], group: QuestionGroup, type: string, random: SeededRandom): number {
  const all = [...sides.keys()];
  const able = all.filter((index) => sides[index]?.canHold(group, type));
  const candidates = (able.length > 0 ? able : all).map((index) => {
    const { parts, numbers } = (sides[index] as Side).needs(type);
    return { index, needs: able.length > 0 ? parts : numbers };
  });
  const compare = (left: (typeof candidates)[number], right: (typeof candidates)[number]) =>
    right.needs[0] - left.needs[0] || right.needs[1] - left.needs[1];
  const best = candidates.sort(compare)[0] as (typeof candidates)[number];
  const equal = candidates.filter((candidate) => compare(best, candidate) === 0).map(({ index }) => index);
  return equal.length === 1 ? best.index : random.pick(equal.sort((left, right) => left - right));
}
