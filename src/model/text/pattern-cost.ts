/**
 * How long a regular expression of somebody else's file may take. Engines that go back and try again, as Oniguruma and V8 do,
 * need exponential time for some: `(a+)+c` over thirty letters ends the process that tokenizes them.
 *
 * Of the packages for this, `safe-regex2` lets `(a|a)*c` pass, and `recheck` takes a second, guesses wherever a pattern looks
 * ahead, and reads no `(?i:…)`. So this is strict instead of exact: what is repeated must be read in one way only.
 */
import { PatternError, type PatternNode, parsePattern } from './pattern-parser.ts';

/** Ways beyond those of repeats: of branches and optional parts one after the other. */
const mostWays = 1000;
/** A longer bounded repeat counts as one without end. */
const longestBounded = 16;

/**
 * @param degree of the polynomial, in the length of the text, that bounds the tries from one place of it
 * @returns what is wrong with the pattern, in words that follow its name; undefined where it is fine
 */
export function problemOfPattern(pattern: string, degree: number): string | undefined {
  try {
    const tree = parsePattern(pattern);
    const cost = costOf(tree, false, false);
    return cost.degree > degree || cost.ways > mostWays ? 'may take too long: parts of it fit in many ways' : undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/** Whether each next character leaves only one way on. */
function hasOneReading(node: PatternNode): boolean {
  switch (node.kind) {
    case 'character':
      return !node.folds;
    case 'place':
      return true;
    case 'look':
      return hasOneReading(node.body);
    case 'choice':
      return node.branches.every(hasOneReading) && areDistinct(node.branches.map(firstOf));
    case 'repeat':
      return node.least === node.most && node.most > 0 && hasOneReading(node.body);
    case 'sequence':
      return (
        node.items.some((item) => item.kind !== 'place' && item.kind !== 'look' && !isOptional(item)) &&
        node.items.every((item, index) => {
          if (!isOptional(item)) return hasOneReading(item);
          const next = node.items[index + 1];
          return next !== undefined && hasOneReading(item.body) && areDistinct([firstOf(item.body), firstOf(next)]);
        })
      );
  }
}

function isOptional(node: PatternNode): node is PatternNode & { kind: 'repeat' } {
  return node.kind === 'repeat' && node.least === 0 && node.most === 1;
}

/** The letter with which a part always begins. */
function firstOf(node: PatternNode): string | undefined {
  if (node.kind === 'character') return node.letter;
  if (node.kind === 'repeat') return node.least > 0 ? firstOf(node.body) : undefined;
  return node.kind === 'sequence' && node.items[0] ? firstOf(node.items[0]) : undefined;
}

/** Ignoring case other letters may stand for two of these, such as ß for ss. */
function areDistinct(letters: readonly (string | undefined)[]): boolean {
  const known = letters.filter((letter) => letter !== undefined && /^[\0-\x7f]+$/.test(letter));
  return (
    known.length === letters.length && new Set(known.map((letter) => letter?.toLowerCase())).size === letters.length
  );
}

interface Cost {
  degree: number;
  ways: number;
  /** The greatest degree of what is looked at. A repeat around it looks anew at each turn. */
  looks: number;
}

/**
 * The tries of a part, from one place on.
 *
 * @param isFollowed whether something after it may fail, so that its other ways are tried too
 * @param isLooked whether it is looked at only: then not even what a fixed count reads is read only once
 * @throws PatternError for a repeated part that fits a text in more than one way: each turn would multiply the ways
 */
function costOf(node: PatternNode, isFollowed: boolean, isLooked: boolean): Cost {
  switch (node.kind) {
    case 'character':
      // Ignoring case, ß fits ss.
      return { degree: 0, ways: node.folds && isFollowed ? 2 : 1, looks: 0 };
    case 'place':
      return { degree: 0, ways: 1, looks: 0 };
    case 'look': {
      // It is looked at anew for each way of what is before it, however it ends itself.
      const cost = costOf(node.body, true, true);
      return { ...cost, looks: cost.degree };
    }
    case 'choice': {
      const costs = node.branches.map((branch) => costOf(branch, isFollowed, isLooked));
      const ways = costs.reduce((sum, cost) => sum + cost.ways, 0);
      const most = (key: 'degree' | 'looks') => Math.max(...costs.map((cost) => cost[key]));
      return { degree: most('degree'), ways, looks: most('looks') };
    }
    case 'sequence': {
      let follows = isFollowed;
      let [degree, ways, looks] = [0, 1, 0];
      for (const item of node.items.toReversed()) {
        const cost = costOf(item, follows, isLooked);
        degree += cost.degree;
        ways *= cost.ways;
        looks = Math.max(looks, cost.looks);
        follows ||= mayFail(item);
      }
      return { degree, ways, looks };
    }
    case 'repeat': {
      const { body, least, most } = node;
      const isLoop = most > 1;
      // Where nothing after it may fail, a loop ends at the first turn that does, and no turn is tried again.
      const isTriedAgain = isFollowed || least > 1;
      if (isLoop && isTriedAgain && !hasOneReading(body)) {
        throw new PatternError('may take forever: what it repeats can fit one text in several ways');
      }
      if (isLoop && isEmpty(body)) throw new PatternError('repeats what has no length');
      const isLong = most > longestBounded;
      const { degree, ways, looks } = costOf(body, isTriedAgain, isLooked);
      if (isLong) {
        const isFree = least === most ? !isLooked : !isFollowed;
        return { degree: degree + (isFree && looks === 0 ? 0 : 1), ways, looks };
      }
      if (least === most) return { degree, ways: isLooked ? ways * Math.max(1, most) : ways, looks };
      return { degree, ways: isFollowed ? ways + most - least : ways, looks };
    }
  }
}

/** Whether it reads no character. */
function isEmpty(node: PatternNode): boolean {
  if (node.kind === 'sequence') return node.items.every(isEmpty);
  if (node.kind === 'choice') return node.branches.every(isEmpty);
  if (node.kind === 'repeat') return isEmpty(node.body);
  return node.kind !== 'character';
}

function mayFail(node: PatternNode): boolean {
  if (node.kind === 'sequence') return node.items.some(mayFail);
  if (node.kind === 'choice') return node.branches.every(mayFail);
  if (node.kind === 'repeat') return node.least > 0 && mayFail(node.body);
  return true;
}
