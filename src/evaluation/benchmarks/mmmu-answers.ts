/**
 * How MMMU reads and compares answers: its official evaluation (https://github.com/MMMU-Benchmark/MMMU,
 * `mmmu/utils/eval_utils.py`). Where that draws a choice at random, since it finds none, here is none.
 */
import { parseFloatAsPython, splitWords, strip } from '../python-text.ts';
import { stripMark } from './choice-rules.ts';

/** The choice that an answer names: by a letter in brackets, a letter between blanks, or, if it is long, by its words. */
export function readMmmuLetter(
  answer: string,
  letters: readonly string[],
  choices: readonly string[],
): string | undefined {
  const text = ` ${[...`,.!?;:'`].reduce((left, mark) => stripMark(left, mark), answer)} `;
  const last = (form: (letter: string) => string, within: string) => {
    let best: { letter: string; at: number } | undefined;
    for (const letter of letters) {
      const at = within.lastIndexOf(form(letter));
      if (at >= 0 && (best === undefined || at > best.at)) best = { letter, at };
    }
    return best?.letter;
  };
  const named = last((letter) => `(${letter})`, text) ?? last((letter) => ` ${letter} `, text);
  if (named !== undefined || splitWords(text).length <= 5) return named;
  return last((letter) => (choices[letters.indexOf(letter)] as string).toLowerCase(), text.toLowerCase());
}

/** Texts and numbers that an answer is compared by. */
type Normalized = string | number;

/** Whether an open answer has one of the references: as a part of its text, or as a number of two decimals. */
export function isMmmuAnswer(answer: string, references: readonly string[]): boolean {
  return isGivenMmmuAnswer(readOpenAnswer(answer), references);
}

/** The same of all that an answer may mean, as the official evaluation reads it. */
export function isGivenMmmuAnswer(answers: readonly Normalized[], references: readonly string[]): boolean {
  const wanted = references.flatMap(normalized);
  return answers.some((given) =>
    typeof given === 'number'
      ? wanted.includes(given) && !Number.isNaN(given)
      : wanted.some((reference) => typeof reference === 'string' && given.includes(reference)),
  );
}

const indicators = ['could be ', 'so ', 'is ', 'thus ', 'therefore ', 'final ', 'answer ', 'result '];
const trivial = new Set([':', ',', '.', '!', '?', ';', "'"]);

function readOpenAnswer(answer: string): Normalized[] {
  const text = stripMark(strip(answer), '.').toLowerCase();
  const lines = text.split('\n');
  const keys = lines.flatMap((line, index) => {
    // The last line may be an equation.
    const marks = index === lines.length - 1 ? [...indicators, '='] : indicators;
    let shortest = '';
    for (const mark of marks) {
      if (!line.includes(mark)) continue;
      const tail = strip(line.slice(line.lastIndexOf(mark) + mark.length));
      if (shortest === '' || lengthOf(tail) < lengthOf(shortest)) shortest = tail;
    }
    return shortest === '' || trivial.has(shortest) ? [] : [shortest];
  });
  const said = keys.length === 0 ? [text] : keys;
  return [...said, ...said.flatMap(numbersIn)].flatMap(normalized);
}

/** Python's word boundary: letters and digits of all scripts are words. */
const boundary = String.raw`(?:(?<=[\p{L}\p{N}_])(?![\p{L}\p{N}_])|(?<![\p{L}\p{N}_])(?=[\p{L}\p{N}_]))`;
const numberForms = [
  String.raw`-?${boundary}\d{1,3}(?:,\d{3})+${boundary}`,
  String.raw`-?\d+(?:\.\d+)?[eE][+-]?\d+`,
  String.raw`-?(?:\d+\.\d+|\.\d+|\d+${boundary})(?![eE][+-]?\d+)(?![,\d])`,
].map((form) => new RegExp(form, 'gu'));

function numbersIn(text: string): string[] {
  return numberForms.flatMap((form) => text.match(form) ?? []);
}

/** A number of two decimals, else the text in small letters; a single letter only with a blank beside it. */
function normalized(given: string): Normalized[] {
  const text = strip(given);
  const number = parseFloatAsPython(text.replaceAll(',', ''));
  if (number !== undefined) return [roundToCents(number)];
  const small = text.toLowerCase();
  return lengthOf(small) === 1 ? [` ${small}`, `${small} `] : [small];
}

/** Python's `round(number, 2)`: of two equally near the one with an even last digit. */
function roundToCents(number: number): number {
  const isHalf = Math.abs((number * 8) % 2) === 1;
  if (!isHalf) return Number(number.toFixed(2));
  const below = Math.floor(number * 100);
  return (below % 2 === 0 ? below : below + 1) / 100;
}

function lengthOf(text: string): number {
  return [...text].length;
}
