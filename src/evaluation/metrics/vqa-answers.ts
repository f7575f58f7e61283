/**
 * Short answers as VQA's official evaluation compares them (`PythonEvaluationTools/vqaEvaluation/vqaEval.py` of
 * https://github.com/GT-Vision-Lab/VQA), and as those who built on it do. `test/evaluation/metrics` checks each against its
 * own code, whose oddities stay.
 */
import { splitWords, strip } from '../python-text.ts';

const punctuation = [...';/[]"{}()=+\\_-><@`,?!'];
const articles = new Set(['a', 'an', 'the']);
const numbers = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const numberOf = new Map([['none', '0'], ...numbers.map((word, value): [string, string] => [word, String(value)])]);

/** A word with one of its apostrophes missing is corrected to these. The official list has them and no others. */
const contractions = `
  ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
  how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't needn't not've o'clock
  oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
  someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
  they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
  where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
  y'all y'all'll y'all'd've you'd you'd've you'll you're you've`;

const contractionOf = new Map<string, string>([
  ...splitWords(contractions).flatMap((word) =>
    [...word.matchAll(/'/g)].map(({ index }): [string, string] => [word.slice(0, index) + word.slice(index + 1), word]),
  ),
  // The official list has this one the wrong way around.
  ["somebody'd", 'somebodyd'],
]);

/** Removes punctuation marks next to a blank, or everywhere if the text has a number such as `1,000`; other marks become blanks. */
export function withoutPunctuation(text: string, period = /\.(?!\d)/g): string {
  const hasNumberWithComma = /\d,\d/.test(text);
  const cleaned = punctuation.reduce((cleaner, mark) => {
    const isOuter = text.includes(`${mark} `) || text.includes(` ${mark}`);
    return cleaner.replaceAll(mark, isOuter || hasNumberWithComma ? '' : ' ');
  }, text);
  // No more than 32: the official code passes a flag of that value where the number of replacements is expected.
  let removed = 0;
  return cleaned.replace(period, (mark) => {
    removed += 1;
    return removed > 32 ? mark : '';
  });
}

function withoutArticles(text: string): string {
  return splitWords(text.toLowerCase())
    .map((word) => numberOf.get(word) ?? word)
    .filter((word) => !articles.has(word))
    .map((word) => contractionOf.get(word) ?? word)
    .join(' ');
}

const mostRemembered = 100_000;
const longestRemembered = 64;

/** Few of the two million references of VQAv2 differ: the form of a short text is computed once. */
function remembered(formOf: (text: string) => string): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const form = formOf(text);
    if (known.size >= mostRemembered) known.clear();
    if (text.length <= longestRemembered) known.set(text, form);
    return form;
  };
}

/** The form in which answers are compared: small letters, digits for numbers, no articles, no punctuation. */
export const normalizeVqaAnswer = remembered((answer) => withoutArticles(withoutPunctuation(onOneLine(answer))));

/** The same after TextVQA's own preparation: no commas, no question marks, `'s` a word of its own. */
export const normalizeTextVqaAnswer = remembered((answer) => {
  const words = answer.toLowerCase().replaceAll(',', '').replaceAll('?', '').replaceAll("'s", " 's");
  return normalizeVqaAnswer(strip(words));
});

/**
 * VQA accuracy: the mean over the references of min(1, matches among the others / 3). Where all references are the same text,
 * they are compared as they are, as the official code does.
 */
export function vqaAccuracy(answer: string, references: readonly string[]): number {
  const cleaned = references.map(onOneLine);
  if (new Set(cleaned).size <= 1) return leaveOneOutAccuracy(onOneLine(answer), cleaned);
  return leaveOneOutAccuracy(normalizeVqaAnswer(answer), cleaned.map(normalizeVqaAnswer));
}

/** VQA accuracy with TextVQA's normalization. */
export function textVqaAccuracy(answer: string, references: readonly string[]): number {
  return leaveOneOutAccuracy(normalizeTextVqaAnswer(answer), references.map(normalizeTextVqaAnswer));
}

function leaveOneOutAccuracy(answer: string, references: readonly string[]): number {
  const matches = references.filter((reference) => reference === answer).length;
  const sum = references.reduce((total, reference) => {
    const others = reference === answer ? matches - 1 : matches;
    return total + Math.min(1, others / 3);
  }, 0);
  return references.length === 0 ? 0 : sum / references.length;
}

function onOneLine(text: string): string {
  return strip(text.replaceAll('\n', ' ').replaceAll('\t', ' '));
}
