/**
 * Whether two ways to run a model give one answer: base and adapter, the merged model, the model as it is served. Losses of the
 * choices, the choice of the lowest loss, and what is written greedily are compared question by question.
 */
import type { Alternative } from '../engine.ts';

/** What one way to run the model gave to a question. */
export interface GateAnswer {
  id: string;
  /** The mean loss of each choice's tokens; undefined where log-probabilities of a prompt can't be had. */
  losses?: readonly number[] | undefined;
  /** What was written greedily. */
  text: string;
  /** The tokens of the text with the likeliest ones at each place, where they can be had. */
  tokens?: readonly WrittenToken[] | undefined;
}

export interface WrittenToken {
  text: string;
  top: readonly Alternative[];
}

/** The answers of one way to run the model, and its name in messages. */
export interface Answers {
  name: string;
  answers: readonly GateAnswer[];
}

export interface Difference {
  question: string;
  /** What differs, a sentence. */
  problem: string;
}

export interface Comparison {
  /** Names of the two. */
  between: [string, string];
  questions: number;
  /** What was compared: `texts` where one of the two has no losses at all. */
  compared: 'losses and texts' | 'texts';
  /** How many questions have losses of both; only where that is not all of them: a choice may be longer than one of the two takes. */
  scored?: number;
  /** How many of these have the same choice, and the largest difference of a loss; only with losses. */
  sameChoices?: number;
  largestLossDifference?: number;
  sameTexts: number;
  /** Texts that part at a token whose two candidates are as likely as one another, within the tolerance. */
  nearTies: number;
  /** The first difference that is more than the tolerances allow; none where the two give one answer. */
  difference?: Difference;
}

/** The largest difference of a loss, or of two candidates' log-probabilities, in each number format. */
export const tolerances = { float32: 1e-3, bfloat16: 3e-2 } as const;
/** The share of questions that must have the same choice. */
const leastSameChoices = 0.995;

/**
 * Compares two ways to run a model, answer by answer.
 *
 * @param tolerance one of `tolerances`
 * @throws Error when they answered other questions
 */
export function compareAnswers(one: Answers, other: Answers, tolerance: number): Comparison {
  const pairs = one.answers.map((answer, index) => {
    const second = other.answers[index];
    if (second?.id !== answer.id) throw new Error(`${other.name} has no answer to ${answer.id}`);
    return [answer, second] as const;
  });
  const names = [one.name, other.name] as const;
  const isScored = ([first, second]: (typeof pairs)[number]) =>
    first.losses !== undefined && second.losses !== undefined;
  const scored = pairs.filter(isScored).length;
  const withLosses = scored > 0;
  let sameChoices = 0;
  let largest = 0;
  let sameTexts = 0;
  let nearTies = 0;
  const differences: Difference[] = [];
  let otherChoice: Difference | undefined;
  for (const [first, second] of pairs) {
    const report = (problem: string) => differences.push({ question: first.id, problem });
    if (isScored([first, second])) {
      const loss = largestDifference(first.losses ?? [], second.losses ?? []);
      largest = Math.max(largest, loss?.size ?? 0);
      if (loss !== undefined && !(loss.size <= tolerance)) report(describeLoss(loss, names));
      const choices = [choiceOf(first), choiceOf(second)] as const;
      if (choices[0] === choices[1] || isTie(first, choices, tolerance)) sameChoices += 1;
      else otherChoice ??= { question: first.id, problem: describeChoices(choices, names) };
    }
    const parting = first.text.trim() === second.text.trim() ? 'same' : partingOf(first, second, tolerance);
    if (parting === 'same') sameTexts += 1;
    else if (parting === 'near tie') nearTies += 1;
    else report(describeTexts(first, second, parting, names));
  }
  const tooFewSame = withLosses && sameChoices < leastSameChoices * scored;
  const difference = earliest(pairs, [...differences.slice(0, 1), ...(tooFewSame && otherChoice ? [otherChoice] : [])]);
  return {
    between: [...names],
    questions: pairs.length,
    compared: withLosses ? 'losses and texts' : 'texts',
    ...(withLosses && scored < pairs.length && { scored }),
    ...(withLosses && { sameChoices, largestLossDifference: largest }),
    sameTexts,
    nearTies,
    ...(difference && { difference }),
  };
}

function choiceOf({ losses = [] }: GateAnswer): number {
  return losses.indexOf(Math.min(...losses));
}

/** Whether two choices have one loss but for rounding, such as those of the same words. */
function isTie({ losses = [] }: GateAnswer, [one, other]: readonly [number, number], tolerance: number): boolean {
  return Math.abs((losses[one] as number) - (losses[other] as number)) <= tolerance / 100;
}

interface LossDifference {
  choice: number;
  size: number;
  values: [number, number];
}

/** The largest difference of a choice's loss. One that is no number differs from any. */
function largestDifference(one: readonly number[], other: readonly number[]): LossDifference | undefined {
  let largest: LossDifference | undefined;
  for (let choice = 0; choice < Math.max(one.length, other.length); choice++) {
    const values: [number, number] = [one[choice] ?? Number.NaN, other[choice] ?? Number.NaN];
    const distance = Math.abs(values[0] - values[1]);
    const size = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
    if (largest === undefined || size > largest.size) largest = { choice, size, values };
  }
  return largest;
}

/**
 * Where two texts part: at a near tie, or at which token.
 *
 * It is a near tie if one of the two has the tokens of its text (others than our engine don't say them), and at the first one that the other text does not have, a
 * candidate that the other text goes on with is as likely, within the tolerance.
 */
function partingOf(one: GateAnswer, other: GateAnswer, tolerance: number): 'near tie' | { place: number } {
  const partings = [parting(one, other.text.trim(), tolerance), parting(other, one.text.trim(), tolerance)];
  if (partings.includes('near tie')) return 'near tie';
  return { place: Math.min(...partings.map((one) => (typeof one === 'number' ? one : Number.POSITIVE_INFINITY))) };
}

function parting({ tokens }: GateAnswer, text: string, tolerance: number): 'near tie' | number | undefined {
  if (tokens === undefined) return undefined;
  let rest = text;
  for (const [place, given] of tokens.entries()) {
    // Whether a text begins with a space is no difference.
    const token = rest === text ? withoutSpaceBefore(given) : given;
    if (token.text !== '' && rest.startsWith(token.text)) {
      rest = rest.slice(token.text.length);
      continue;
    }
    // A token without text of its own: the next one that has some shows whether the texts part.
    if (token.text === '' && rest !== '') continue;
    return isNearTie(token, rest, tolerance) ? 'near tie' : place;
  }
  return tokens.length;
}

function withoutSpaceBefore({ text, top }: WrittenToken): WrittenToken {
  return { text: text.trimStart(), top: top.map((one) => ({ ...one, text: one.text.trimStart() })) };
}

function isNearTie({ text, top }: WrittenToken, rest: string, tolerance: number): boolean {
  const [chosen] = top;
  if (chosen === undefined) return false;
  const others = top.filter((candidate) => candidate !== chosen && candidate.text !== text);
  return others.some(
    (candidate) => chosen.logprob - candidate.logprob <= tolerance && goesOnWith(candidate.text, rest),
  );
}

/** Whether a text may go on with a token: it begins with its words, or ends where the token is one without words. */
function goesOnWith(token: string, rest: string): boolean {
  return rest === ''
    ? token === '' || /^<.*>$/s.test(token)
    : token !== '' && (rest.startsWith(token) || token.startsWith(rest));
}

function describeLoss({ choice, size, values }: LossDifference, [one, other]: readonly [string, string]): string {
  const [first, second] = values.map((value) => value.toFixed(5));
  return `the loss of choice ${choice + 1} is ${first} of ${one} and ${second} of ${other}, which differ by ${size.toPrecision(2)}`;
}

function describeChoices([first, second]: readonly [number, number], [one, other]: readonly [string, string]): string {
  return `${one} chooses choice ${first + 1}, ${other} choice ${second + 1}`;
}

function describeTexts(
  first: GateAnswer,
  second: GateAnswer,
  { place }: { place: number },
  [one, other]: readonly [string, string],
): string {
  const at = Number.isFinite(place) ? `, from token ${place + 1} on` : '';
  return `${one} writes ${shortened(first.text)}, ${other} ${shortened(second.text)}${at}`;
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

function earliest(
  pairs: readonly (readonly [GateAnswer, GateAnswer])[],
  differences: readonly Difference[],
): Difference | undefined {
  const placeOf = ({ question }: Difference) => pairs.findIndex(([{ id }]) => id === question);
  return differences.toSorted((left, right) => placeOf(left) - placeOf(right))[0];
}
