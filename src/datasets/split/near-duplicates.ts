/** Groups of images that look nearly alike, without comparing all with all. */
import { bitsIn, fineBitsApart, type PerceptualHash } from './perceptual-hash.ts';

/** The parts of the rough bits that are looked up. */
const [PARTS, PART_BITS] = [4, 16];
const PART_VALUES = 1 << PART_BITS;

/**
 * How many of the 64 rough bits may differ in images that are compared by the fine ones: 12 where 56 of those may, which is more
 * than in copies, and less than in photographs of different things.
 */
export function roughRadius(fineBits: number): number {
  return Math.min(16, Math.ceil((fineBits * 12) / 56));
}

/** Images that look alike, by their place in the list. */
export interface DuplicateGroup {
  members: number[];
  /** How many fine bits may differ between one and the next: fewer than wanted where the group would have been too large. */
  bits: number;
}

/**
 * Joins images that look nearly alike, and those that look like these. A group with more than `largest` images is divided by
 * allowing half as many different bits, and again, until it is small enough, or all in it look the same: where everything
 * looks alike, such as the images of one camera at a production line, nothing could be divided otherwise.
 *
 * @param bits how many of 256 bits may differ
 * @returns all images, each in one group, groups by their first member
 */
export function groupNearDuplicates(
  hashes: readonly PerceptualHash[],
  { bits, largest }: { bits: number; largest: number },
): DuplicateGroup[] {
  const join = (members: readonly number[], allowed: number): DuplicateGroup[] =>
    connected(
      members.map((member) => hashes[member] as PerceptualHash),
      allowed,
    ).flatMap((group) => {
      const inGroup = group.map((index) => members[index] as number);
      const isSmallEnough = inGroup.length <= largest || allowed === 0;
      return isSmallEnough ? [{ members: inGroup, bits: allowed }] : join(inGroup, allowed >> 1);
    });
  return join([...hashes.keys()], bits).sort((left, right) => (left.members[0] ?? 0) - (right.members[0] ?? 0));
}

/** The connected components of those whose fine bits differ in at most `bits`. */
function connected(hashes: readonly PerceptualHash[], bits: number): number[][] {
  const parents = Int32Array.from(hashes.keys());
  const rootOf = (index: number): number => {
    let root = index;
    while (parents[root] !== root) {
      parents[root] = parents[parents[root] as number] as number;
      root = parents[root] as number;
    }
    return root;
  };
  const visit = (left: number, right: number) => {
    const [leftRoot, rightRoot] = [rootOf(left), rootOf(right)];
    if (leftRoot === rightRoot) return;
    if (fineBitsApart(hashes[left] as PerceptualHash, hashes[right] as PerceptualHash) > bits) return;
    parents[Math.max(leftRoot, rightRoot)] = Math.min(leftRoot, rightRoot);
  };
  for (let part = 0; part < PARTS; part += 1) forEachPairNearby(hashes, { part, radius: roughRadius(bits) }, visit);
  const groups = new Map<number, number[]>();
  for (const index of hashes.keys()) {
    const root = rootOf(index);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, [index]);
    else group.push(index);
  }
  return [...groups.values()];
}

/**
 * Calls for the pairs within the radius of which this is the first part that differs in at most a quarter of it, by looking up
 * all values of the part that do (multi-index hashing, https://arxiv.org/abs/1307.2982). All parts together miss no pair.
 */
function forEachPairNearby(
  hashes: readonly PerceptualHash[],
  { part, radius }: { part: number; radius: number },
  visit: (left: number, right: number) => void,
): void {
  const keyOf = (hash: PerceptualHash) =>
    ((hash[part >> 1] as number) >>> ((part & 1) * PART_BITS)) & (PART_VALUES - 1);
  const ofPart = Math.floor(radius / PARTS);
  const changes = changesOf(ofPart);
  const { starts, order } = sortedByKey(Uint16Array.from(hashes, keyOf));
  // Side by side in memory, so that a look-up reads one place.
  const first = Uint32Array.from(order, (index) => hashes[index]?.[0] as number);
  const second = Uint32Array.from(order, (index) => hashes[index]?.[1] as number);
  for (let right = 0; right < order.length; right += 1) {
    const [rightFirst, rightSecond] = [first[right] as number, second[right] as number];
    const key = keyOf(hashes[order[right] as number] as PerceptualHash);
    for (let change = 0; change < changes.length; change += 1) {
      const found = key ^ (changes[change] as number);
      const end = Math.min(starts[found + 1] as number, right);
      for (let left = starts[found] as number; left < end; left += 1) {
        const [one, other] = [(first[left] as number) ^ rightFirst, (second[left] as number) ^ rightSecond];
        if (bitsIn(one) + bitsIn(other) > radius) continue;
        if (part > 0 && bitsIn(one & 0xffff) <= ofPart) continue;
        if (part > 1 && bitsIn(one >>> PART_BITS) <= ofPart) continue;
        if (part > 2 && bitsIn(other & 0xffff) <= ofPart) continue;
        visit(order[left] as number, order[right] as number);
      }
    }
  }
}

/** All numbers of 16 bits of which at most so many are set. */
function changesOf(bits: number): Uint16Array {
  return Uint16Array.from(Array.from({ length: PART_VALUES }, (_, number) => number).filter((n) => bitsIn(n) <= bits));
}

/** The places of keys in ascending order of the keys; those of one are `order` from `starts[key]` to `starts[key + 1]`. */
function sortedByKey(keys: Uint16Array): { starts: Uint32Array; order: Uint32Array } {
  const starts = new Uint32Array(PART_VALUES + 1);
  for (const key of keys) starts[key + 1] = (starts[key + 1] as number) + 1;
  for (let key = 1; key < starts.length; key += 1) {
    starts[key] = (starts[key] as number) + (starts[key - 1] as number);
  }
  const next = starts.slice();
  const order = new Uint32Array(keys.length);
  for (const [index, key] of keys.entries()) {
    order[next[key] as number] = index;
    next[key] = (next[key] as number) + 1;
  }
  return { starts, order };
}
