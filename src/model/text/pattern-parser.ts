/**
 * Regular expressions of other people's files, read into a tree. Of Oniguruma's syntax, in which a tokenizer's are written,
 * and of Python's this knows what tokenizers and adapters use; the rest is refused by name, since what is misread here may
 * take forever there.
 */

export type PatternNode =
  /** One character. `letter` where it is always this one; `folds` where ignoring case it may take two. */
  | { kind: 'character'; letter?: string; folds?: boolean }
  /** A place: a border of words, the start of a line. */
  | { kind: 'place' }
  | { kind: 'look'; body: PatternNode }
  | { kind: 'sequence'; items: PatternNode[] }
  | { kind: 'choice'; branches: PatternNode[] }
  | { kind: 'repeat'; body: PatternNode; least: number; most: number };

/** What of a pattern is not known here. */
export class PatternError extends Error {}

const longestPattern = 5000;
const deepestNesting = 50;

/** @throws PatternError for what is not known here */
export function parsePattern(pattern: string): PatternNode {
  if (pattern.length > longestPattern) throw new PatternError(`is longer than ${longestPattern} characters`);
  return new PatternParser(pattern).parse();
}

class PatternParser {
  private at = 0;
  private depth = 0;
  private ignoresCase = false;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  parse(): PatternNode {
    // Further on it would be about a part of the pattern, in each syntax about another one.
    if (this.take(/\(\?i\)/y)) this.ignoresCase = true;
    const node = this.choice();
    if (this.at < this.text.length) throw this.unknown('a closing parenthesis without an opening one');
    return node;
  }

  private choice(): PatternNode {
    this.depth += 1;
    if (this.depth > deepestNesting) throw this.unknown(`more than ${deepestNesting} groups within one another`);
    const branches = [this.sequence()];
    while (this.take(/\|/y)) branches.push(this.sequence());
    this.depth -= 1;
    return branches.length === 1 ? (branches[0] as PatternNode) : { kind: 'choice', branches };
  }

  private sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.at < this.text.length && !/[|)]/.test(this.text[this.at] as string)) {
      items.push(this.repeats(this.atom()));
    }
    return items.length === 1 ? (items[0] as PatternNode) : { kind: 'sequence', items };
  }

  private repeats(body: PatternNode): PatternNode {
    const found = this.take(/[*+?](?<mark>[+?]?)|\{(?<least>\d{0,4})(?<comma>,?)(?<most>\d{0,4})\}(?<lazy>\??)/y);
    if (!found) {
      if (this.text[this.at] === '{') throw this.unknown('a brace that is no count');
      return body;
    }
    const [text] = found;
    const infinite = Number.POSITIVE_INFINITY;
    // Oniguruma's `a{1,3}+` repeats the repeat; others take the plus for a mark, which is less.
    const isRepeated = text.endsWith('}') && this.take(/\+/y) !== null;
    if (/[*+?{]/.test(this.text[this.at] ?? '')) throw this.unknown('a repeat of a repeat');
    if (text[0] === '?') return { kind: 'repeat', body, least: 0, most: 1 };
    if (text[0] === '*') return { kind: 'repeat', body, least: 0, most: infinite };
    if (text[0] === '+') return { kind: 'repeat', body, least: 1, most: infinite };
    const { least = '', comma, most = '', lazy } = found.groups ?? {};
    if (least === '' && most === '') throw this.unknown('a brace that is no count');
    const from = Number(least);
    const to = comma === '' ? from : most === '' ? infinite : Number(most);
    if (to < from) throw this.unknown('a count from more to less');
    // `a{3}?` is three or none in one syntax, three in others.
    const counted: PatternNode = { kind: 'repeat', body, least: lazy === '' || comma !== '' ? from : 0, most: to };
    return isRepeated ? { kind: 'repeat', body: counted, least: 1, most: infinite } : counted;
  }

  private atom(): PatternNode {
    const start = this.text[this.at] as string;
    if (start === '(') return this.group();
    if (start === '[') {
      const isNegated = this.text[this.at + 1] === '^';
      this.characterClass(0);
      return { kind: 'character', folds: this.ignoresCase && !isNegated };
    }
    if (start === '\\') return this.escape();
    if (/[*+?{]/.test(start)) throw this.unknown('a repeat of nothing');
    const [character] = this.take(/./suy) as RegExpExecArray;
    if (character === '^' || character === '$') return { kind: 'place' };
    return character === '.' ? { kind: 'character' } : { kind: 'character', letter: character };
  }

  private group(): PatternNode {
    const opening = this.take(
      /\((?:\?(?:(?<look><?[=!])|(?<flags>[im]*(?:-[im]+)?):|>|P?<(?<name>[A-Za-z_]\w*)>)|(?!\?))/y,
    );
    if (!opening) throw this.unknown('a group');
    const { look, flags = '' } = opening.groups ?? {};
    const before = this.ignoresCase;
    if (/^\w*i/.test(flags)) this.ignoresCase = true;
    const body = this.choice();
    this.ignoresCase = before;
    if (!this.take(/\)/y)) throw this.unknown('an opening parenthesis without a closing one');
    return look === undefined ? body : { kind: 'look', body };
  }

  private escape(): PatternNode {
    if (this.take(/\\[bBAZz]/y)) return { kind: 'place' };
    if (this.take(/\\[sSdDnrtfvae]/y)) {
      const mark = this.text[this.at - 1] as string;
      return { kind: 'character', ...('nrt'.includes(mark) && { letter: `\\${mark}` }) };
    }
    if (this.take(/\\(?:[wWhH]|[pP]\{\^?\w[\w\- =]*\}|x[0-7][0-9A-Fa-f]|x\{[0-9A-Fa-f]{1,6}\}|u[0-9A-Fa-f]{4})/y)) {
      return { kind: 'character', folds: this.ignoresCase };
    }
    const literal = this.take(/\\([^A-Za-z0-9])/uy);
    if (!literal) throw this.unknown('an escape');
    return { kind: 'character', letter: literal[1] as string };
  }

  /** Sets of characters have no structure that matters here, but where they end does. */
  private characterClass(depth: number): void {
    if (depth > deepestNesting) throw this.unknown(`more than ${deepestNesting} sets within one another`);
    this.take(/\[\^?/y);
    if (this.text[this.at] === ']') throw this.unknown('a set that begins with its end');
    while (!this.take(/\]/y)) {
      if (this.at >= this.text.length) throw this.unknown('a set without an end');
      if (this.take(/\[:\^?[a-z]+:\]/y)) continue;
      if (this.text[this.at] === '[') this.characterClass(depth + 1);
      else if (this.text[this.at] === '\\') this.escape();
      else this.at += 1;
    }
  }

  private take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.at;
    const found = expression.exec(this.text);
    if (found) this.at += found[0].length;
    return found;
  }

  private unknown(what: string): PatternError {
    return new PatternError(`has ${what} at character ${this.at + 1}, which is not read here`);
  }
}
