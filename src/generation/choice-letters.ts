/**
 * Finds where a text names choices by their letters, so that the letters can follow the choices when these are shuffled.
 */
import { plainText } from './plain-text.ts';

/** A letter that stands for a choice. */
interface LetterMention {
  /** Where the letter is in the text. */
  index: number;
  /** The place of the choice that it names. */
  choice: number;
}

/**
 * Renames the letters of choices in a text after the choices were put in another order.
 *
 * @param order the former place of each choice, in the new order
 * @returns undefined when it is not sure that each letter, and nothing but letters, names a choice by its place: a shuffle
 * would then make the text wrong
 */
export function renameLetters(text: string, choices: readonly string[], order: readonly number[]): string | undefined {
  const mentions = findLetters(text, choices);
  if (mentions === undefined) return undefined;
  const characters = text.split('');
  for (const { index, choice } of mentions) {
    const letter = letters[order.indexOf(choice)] as string;
    characters[index] = characters[index] === letters[choice] ? letter : letter.toLowerCase();
  }
  return characters.join('');
}

/**
 * Finds all letters of choices in a text: "(B)", "option B", "options A, B and D", "B is wrong", "A: the bat".
 *
 * @returns undefined when it can't be told whether a letter, a number or a word such as "second" names a choice
 */
export function findLetters(text: string, choices: readonly string[]): LetterMention[] | undefined {
  if (namesPlaces.some((pattern) => pattern.test(text))) return undefined;
  const found: Candidate[] = [];
  for (const match of text.matchAll(loneLetter)) {
    const candidate = candidateAt(text, match.index, choices);
    if (candidate === 'unsure') return undefined;
    if (candidate !== 'article') found.push(candidate);
  }
  const ownLetters = choices.some((choice) => loneLetterInChoice.test(choice));
  for (const list of listsOf(text, found)) {
    const [first, last] = [list[0] as Candidate, list.at(-1) as Candidate];
    const sure =
      list.some((candidate) => candidate.sure) ||
      (!ownLetters && list.every(({ isCapital }) => isCapital) && (isClause(first, last) || isLabel(first, list)));
    const inList =
      !ownLetters && list.length > 1 && list.every(({ isCapital }) => isCapital) && beforeList.test(first.left);
    if (!sure && !inList) return undefined;
    if (ownLetters && list.some(({ inChoice }) => inChoice)) return undefined;
  }
  return found.map(({ index, choice }) => ({ index, choice }));
}

const letters = 'ABCDEFGH';

// Not "B-movie", "(A1)", "D.C.", "C++", "d'Or"; but "B's".
const loneLetter =
  /(?<![\p{Script=Latin}\p{N}_]|[\p{L}\p{N}][-'’.])([A-Ea-e])(?![\p{Script=Latin}\p{N}_+#°]|-\p{Script=Latin}{2}|-\p{N}|['’](?!s\b)\p{L}|\.\p{L})/gu;
const loneLetterInChoice =
  /(?<![\p{Script=Latin}\p{N}_])(?:[B-E]|(?<=\S.*)A|A(?!\s+\p{L}))(?![\p{Script=Latin}\p{N}_])|\([a-e]\)/u;

const noun = '(?:options?|choices?|answers?|alternatives?)';
const ordinal = '(?:first|second|third|fourth|fifth|last|final|1st|2nd|3rd|4th|5th)';

/** What names choices by their places, though not by letters: "the second option", "option 2", "A to C". */
const namesPlaces = [
  new RegExp(
    String.raw`\b${ordinal}(?:,?\s+(?:and|or)\s+\w+|\s+(?:one|two|three|four|listed|given|answer))*\s+${noun}\b`,
    'i',
  ),
  new RegExp(String.raw`\b${noun}\s*(?:#|no\.?\s*|number\s*)?\(?[1-5]\)?(?![\p{L}\p{N}%])`, 'iu'),
  /\b(?:options?|choices?)\s+(?:number\s+)?(?:one|two|three|four|five)\b/i,
  /(?<![\p{Script=Latin}\p{N}])\(?[A-E]\)?\s*(?:[-–—~]|to|through|thru)\s*\(?[A-E]\)?(?![\p{Script=Latin}\p{N}])/iu,
];

interface Candidate extends LetterMention {
  isCapital: boolean;
  /** Its brackets, or a word such as "option" before it, leave no doubt. */
  sure: boolean;
  /** A choice has the same words, letter included. */
  inChoice: boolean;
  /** The text before and after it, without quotation marks next to it. */
  left: string;
  right: string;
}

const afterNoun = new RegExp(String.raw`\b${noun}(?:\s+(?:is|are|was|were|be))?\s*[:：]?\s*\(?$`, 'i');
const directlyAfterNoun = new RegExp(String.raw`\b${noun}\s+$`, 'i');
const sentenceStart = /(?:^|[.!?:;。]["'”’)]*\s|\n)\s*["'“‘*(]*$/;

const verb =
  "(?:is|are|was|were|isn't|aren't|wasn't|do|does|did|doesn't|don't|didn't|would|wouldn't|could|couldn't|should|might|must|cannot|can't|won't|has|have|seems?|shows?|depicts?|describes?|suggests?|refers?|means|fits|matches)";
const afterLetter = new RegExp(
  String.raw`^\s*(?:$|[.,;:：!?)\/&]|['’]s\b|(?:and|or|nor|but|because|since|as|not|also|therefore|which|${verb})\b)`,
);
// An article stands before a noun or an adjective, not before these.
const afterNoArticle =
  /^\s+(?:to|in|on|of|for|with|from|by|at|than|if|when|while|too|alone|instead|can|may|will|\p{Ll}+ly|(?!glass|bus|gas|lens|canvas|tennis|series|species|christmas|sports|news)\p{Ll}*(?<![suoi])s)(?![\p{L}'’])/u;

function candidateAt(text: string, index: number, choices: readonly string[]): Candidate | 'article' | 'unsure' {
  const written = text[index] as string;
  const choice = letters.indexOf(written.toUpperCase());
  const isCapital = written === letters[choice];
  const [rawLeft, rawRight] = [text.slice(0, index), text.slice(index + 1)];
  const left = rawLeft.replace(/["'“‘*]+$/, '');
  const right = rawRight.replace(/^["'”’*]+(?!s\b)/, '');
  const bracketed = left.endsWith('(') && right.startsWith(')');
  const label = right.startsWith(')') && !/\([^)]*$/.test(left);
  if (choice === 0 && !bracketed && !label) {
    const use = useOfA({ text, index, isCapital, left, right, choices });
    if (use !== 'letter') return use;
  }
  if (choice >= choices.length) return 'unsure';
  const sure = bracketed || label || afterNoun.test(left);
  const rest = plainText(text.slice(index));
  const inChoice = choices.some(
    (other) => new RegExp(String.raw`\b${written}\b`).test(other) && rest.startsWith(plainText(other)),
  );
  return { index, choice, isCapital, sure, inChoice, left, right };
}

/** Whether "A" or "a" names a choice or is an article. */
function useOfA(at: {
  text: string;
  index: number;
  isCapital: boolean;
  left: string;
  right: string;
  choices: readonly string[];
}): 'letter' | 'article' | 'unsure' {
  const { text, index, isCapital, left, right, choices } = at;
  if (afterLetter.test(right)) return 'letter';
  if (directlyAfterNoun.test(left)) return 'unsure';
  if (!isCapital) return 'article';
  const rest = text.slice(index).toLowerCase();
  if (choices.some((choice) => /^a\s/i.test(choice) && rest.startsWith(choice.toLowerCase()))) return 'article';
  const startsText = sentenceStart.test(left) || /["“‘]$/.test(text.slice(0, index));
  return startsText && !afterNoArticle.test(right) ? 'article' : 'unsure';
}

const listSeparator =
  /^["'”’*)\s]*(?:[,;/&\s]|\b(?:and|or|nor|but|not|as well as|options?|choices?|answers?)\b)+["'“‘*(\s]*$/i;

/** The letters, those of a list ("A, B and D") together. */
function listsOf(text: string, candidates: readonly Candidate[]): Candidate[][] {
  const lists: Candidate[][] = [];
  for (const candidate of candidates) {
    const list = lists.at(-1);
    const before = list?.at(-1);
    const joined =
      before?.isCapital === candidate.isCapital && listSeparator.test(text.slice(before.index + 1, candidate.index));
    if (list && joined) list.push(candidate);
    else lists.push([candidate]);
  }
  return lists;
}

const clauseStart =
  /(?:^|[.!?:;,(—–。]|\b(?:and|or|nor|but|while|whereas|since|because|that|so|thus|hence|therefore|although|though|if|as|both|neither|either|only|why|then))\s*$/i;
const clauseVerb = new RegExp(String.raw`^\s*(?:(?:both|all|also|clearly)\s+)?(?:['’]s\b|${verb}\b)`);
const isTheAnswer = /\b(?:answer|choice|option|alternative|correct|right)\b[^.!?;]*\b(?:is|are|be)\s*:?\s*\(?$/i;
const clauseEnd = /^\s*(?:$|[.,;:!)]|(?:because|since|as|and|not)\b)/;

/** Whether letters without a word such as "option" are the subject of a clause, or what the answer is said to be. */
function isClause(first: Candidate, last: Candidate): boolean {
  if (clauseStart.test(first.left) && clauseVerb.test(last.right)) return true;
  return isTheAnswer.test(first.left) && clauseEnd.test(last.right);
}

/** Whether it is a label before the words of a choice: "B: the ball". */
function isLabel(first: Candidate, list: readonly Candidate[]): boolean {
  return list.length === 1 && sentenceStart.test(first.left) && /^\s*[:：]\s/.test(first.right);
}

const beforeList =
  /(?:^|[.!?:;,(—–]|\b(?:rul\w+ out|eliminat\w+|exclud\w+|reject\w+|discard\w+|dismiss\w+|unlike|than|between|neither|either|both|nor|not|and|but|while|since|because|that|so|thus))\s*$/i;
