import { type ParseError, printParseErrorCode, visit } from 'jsonc-parser';

/** What is wrong with a JSON text, and where. */
export interface SyntaxProblem {
  /** Both counted from 1. */
  line: number;
  column: number;
  problem: string;
}

/**
 * No file that people write is nested deeper. What reads or writes a value calls itself for each level, and a stack that
 * overflows at the wrong moment ends the process.
 */
export const deepestNesting = 200;

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** Where a JSON text is nested deeper than `deepestNesting`; undefined where it is not. Takes any text, JSON or not. */
export function findDeepNesting(text: string): SyntaxProblem | undefined {
  if (text.length <= deepestNesting) return undefined;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === quote) {
      at = endOfText(text, at);
    } else if (character === openBracket || character === openBrace) {
      depth += 1;
      if (depth > deepestNesting) return problemAt(text, at, `is nested deeper than ${deepestNesting} levels`);
    } else if (character === closeBracket || character === closeBrace) depth -= 1;
  }
  return undefined;
}

/** Where the text that starts with the quote at a place has its other quote, or where all ends. */
export function endOfText(json: string, start: number): number {
  // Most texts have no quote within; the rest is looked through.
  const first = json.indexOf('"', start + 1);
  if (first < 0 || json.charCodeAt(first - 1) !== backslash) return first < 0 ? json.length : first;
  let at = start + 1;
  for (; at < json.length && json.charCodeAt(at) !== quote; at += 1) {
    if (json.charCodeAt(at) === backslash) at += 1;
  }
  return at;
}

/**
 * The first syntax error of a text that JSON.parse refuses: that names a position only for some errors, differently in each
 * version of V8, and quotes the text.
 *
 * @param text nested no deeper than `deepestNesting`
 */
export function findSyntaxError(text: string): SyntaxProblem {
  const first = firstError(text);
  const offset = Math.min(first?.offset ?? text.length, text.length);
  const problem = text.slice(offset).trim() === '' ? 'it ends too early' : wordsOf(first);
  return problemAt(text, offset, `is not valid JSON: ${problem}`);
}

/** The parser must not go on behind the error: what was a text before may be taken for deep nesting then. */
function firstError(text: string): ParseError | undefined {
  let first: ParseError | undefined;
  const found = new Error('found');
  const onError = (error: ParseError['error'], offset: number, length: number) => {
    first = { error, offset, length };
    throw found;
  };
  try {
    visit(text, { onError }, { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false });
  } catch (error) {
    if (error !== found) throw error;
  }
  return first;
}

function problemAt(text: string, offset: number, problem: string): SyntaxProblem {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0 && end < offset; end = text.indexOf('\n', start)) {
    line += 1;
    start = end + 1;
  }
  return { line, column: offset - start + 1, problem };
}

// 'CommaExpected' → 'comma expected'
function wordsOf(error: ParseError | undefined): string {
  if (!error) return 'unexpected text';
  return printParseErrorCode(error.error)
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase();
}
