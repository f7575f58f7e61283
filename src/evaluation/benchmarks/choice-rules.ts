/** By which letter a written answer names a choice, as the authors of benchmarks look for it. Each is checked against their code. */
import { strip } from '../python-text.ts';

/** ScienceQA's, as LLaVA and lmms-eval read it: the letter alone, or a capital letter with a period at the start. */
export function isScienceQaLetter(answer: string, right: string): boolean {
  const given = strip(answer);
  if (given.toLowerCase() === right.toLowerCase()) return true;
  return /^\p{Lu}\./u.test(given) && given.startsWith(right);
}

/** ASCII's punctuation, as Python's `string.punctuation` has it. */
const punctuation = /[!-/:-@[-`{-~]/g;

/** Whether two texts are the same but for case and punctuation: `exact_match` of lmms-eval with both settings. */
export function isSameText(answer: string, reference: string): boolean {
  const form = (text: string) => text.toLowerCase().replace(punctuation, '');
  return form(answer) === form(reference);
}

/** AI2D's in lmms-eval: a letter with a period at the start, else the whole answer, whose case and punctuation don't count. */
export function isAi2dLetter(answer: string, right: string): boolean {
  return isSameText(/^\s*([A-Z])\./.exec(answer)?.[1] ?? answer, right);
}

/** MMStar's own: the first letter, in small letters, or the one behind `(`, `option ` or `the answer is `. */
export function isMmstarLetter(answer: string, right: string): boolean {
  const given = strip(answer.toLowerCase()).replaceAll('\n', ' ');
  const letter = right.toLowerCase();
  return (
    given.startsWith(letter) || ['(', 'option ', 'the answer is '].some((start) => given.startsWith(start + letter))
  );
}

const answerPhrases = [
  ...[
    'the answer is',
    'answer is',
    'the correct answer is',
    'correct answer is',
    'the best answer is',
    'best answer is',
  ],
  ...[
    'the correct option is',
    'correct option is',
    'the best option is',
    'best option is',
    'the choice is',
    'choice is',
  ],
  ...['the correct choice is', 'correct choice is', 'i choose', 'i select', 'i pick', 'my answer is', 'my choice is'],
  ...['옵션', '정답은', '답은', '답:', '答案是', '答案为', '选', '答えは'],
];

interface Candidate {
  letter: string;
  at: number;
  /** The higher, the surer. */
  rank: number;
}

/**
 * The letter by the rules that tasks of lmms-eval share (`tasks/_task_utils/mcq_extract.py`): all places where one may be meant,
 * of which the surest counts, and the last of those. Undefined where there is none.
 */
export function extractLetter(answer: string, letters: readonly string[]): string | undefined {
  if (strip(answer) === '') return undefined;
  const inner = [...`,.!?;:'"`].reduce((text, mark) => stripMark(text, mark), strip(answer));
  const text = ` ${inner} `;
  const found: Candidate[] = [];
  const forms: [rank: number, form: (letter: string) => string][] = [
    [6, (letter) => `(${letter})`],
    [5, (letter) => `${letter}.`],
    [4, (letter) => `${letter}:`],
    [3, (letter) => `${letter})`],
    [2, (letter) => `${letter} `],
  ];
  for (const [rank, form] of forms) {
    for (const letter of letters) found.push({ letter, at: text.lastIndexOf(form(letter)), rank });
  }
  const small = text.toLowerCase();
  for (const phrase of answerPhrases) {
    const start = small.indexOf(phrase);
    if (start < 0) continue;
    for (const letter of letters) found.push({ letter, at: text.indexOf(letter, start + phrase.length), rank: 7 });
  }
  const stripped = strip(text);
  const characters = [...stripped];
  const isLetter = (character: string | undefined) => character !== undefined && /^\p{L}$/u.test(character);
  for (const letter of letters) {
    if (stripped.startsWith(letter) && !isLetter(characters[1])) found.push({ letter, at: 0, rank: 10 });
  }
  for (const letter of letters) {
    if (stripped.endsWith(letter) && !isLetter(characters.at(-2))) found.push({ letter, at: text.length - 1, rank: 9 });
  }
  return surest(found) ?? surest(letters.map((letter) => ({ letter, at: text.lastIndexOf(letter), rank: 0 })));
}

/** The first of equals. */
function surest(candidates: readonly Candidate[]): string | undefined {
  const there = candidates.filter(({ at }) => at >= 0);
  const [best] = there.toSorted((one, other) => other.rank - one.rank || other.at - one.at);
  return best?.letter;
}

/** Python's `text.strip(mark)`. */
export function stripMark(text: string, mark: string): string {
  let [start, end] = [0, text.length];
  while (start < end && text[start] === mark) start += 1;
  while (end > start && text[end - 1] === mark) end -= 1;
  return text.slice(start, end);
}
