/**
 * Cuts the elements of top-level arrays out of the bytes of a JSON document, as the bytes arrive.
 *
 * Only the structure is scanned here (strings, brackets, the grammar of the top level); each element is parsed by
 * `JSON.parse`. Libraries that stream JSON build each value from tokens, in JavaScript. For the 860,001 annotations of a
 * file of COCO's size (439 MiB) `stream-json` 3.8.0 takes 71 seconds of processor time and `@streamparser/json` 0.0.26
 * takes 42; this takes 10, as long as `JSON.parse` of the whole file, which needs 1.1 GiB. It also reports the byte of a
 * syntax error, for its line and column.
 */

import { deepestNesting } from '../core/json-syntax.ts';

/** Bytes of one element, and where they are. */
export interface ElementBytes {
  /** The array's key; the empty string when the document itself is the array. */
  array: string;
  /** Of the element in its array. */
  index: number;
  bytes: Buffer;
  /** Of the first byte, counted from the start of the document. */
  offset: number;
}

/** A syntax error at a byte of the document. */
export class ScanError extends Error {
  readonly offset: number;
  constructor(offset: number, problem: string) {
    super(problem);
    this.name = 'ScanError';
    this.offset = offset;
  }
}

/** An element may span pieces; one larger than this is a bracket that is never closed. */
const LARGEST_ELEMENT = 64 * 1024 * 1024;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];

const [ORDINARY, QUOTED, OPENING, CLOSING, SEPARATOR] = [0, 1, 2, 3, 4];
const kinds = new Uint8Array(256);
kinds.fill(SEPARATOR, 0, 0x21);
kinds[COMMA] = SEPARATOR;
kinds[QUOTE] = QUOTED;
kinds[OPEN_BRACKET] = kinds[OPEN_BRACE] = OPENING;
kinds[CLOSE_BRACKET] = kinds[CLOSE_BRACE] = CLOSING;

/** What the scanner expects next. */
type Expected = 'document' | 'key' | 'key or end' | 'colon' | 'value' | 'comma or end' | 'nothing';

export class RecordScanner {
  /** Keys of the wanted arrays that the document has. */
  readonly found = new Set<string>();
  private readonly wanted: ReadonlySet<string>;
  private expected: Expected = 'document';
  private level: 'keys' | 'elements' = 'keys';
  private rootIsArray = false;
  private key = '';
  private index = 0;
  /** The current value: where it starts, and what it is for. */
  private started: number | undefined;
  private role: 'key' | 'element' | 'skipped' = 'key';
  private depth = 0;
  private failure: unknown;
  private rest: Buffer = Buffer.alloc(0);
  /** Offset in the document of `rest[0]`. */
  private base = 0;
  /** How far into `rest` the scan is. */
  private position = 0;

  /** @param arrays keys of the wanted arrays; when the document is itself an array, that one is wanted too */
  constructor(arrays: Iterable<string>) {
    this.wanted = new Set(arrays);
  }

  /**
   * Takes the next piece of the document.
   *
   * @returns the elements that are complete with it; their bytes stay valid
   * @throws ScanError at the first byte that does not fit
   */
  push(piece: Buffer): ElementBytes[] {
    this.rest = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece]);
    const elements: ElementBytes[] = [];
    try {
      this.scan(elements);
    } catch (error) {
      // The elements before the error are returned first: they may have errors of their own.
      if (elements.length === 0) throw error;
      this.failure = error;
    }
    return elements;
  }

  private scan(elements: ElementBytes[]): void {
    if (this.failure !== undefined) throw this.failure;
    for (;;) {
      if (this.started === undefined && !this.skipToValue()) break;
      const end = this.endOfValue();
      if (end === undefined) break;
      this.finish(end, elements);
    }
    this.dropScanned();
  }

  /** Marks the end of the document. @throws ScanError when it ends too early */
  end(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.expected === 'nothing') return;
    throw new ScanError(this.base + this.rest.length, 'it ends too early');
  }

  private dropScanned(): void {
    // Of a skipped value only what is not scanned yet: a string whose end is not here.
    const keep = this.role === 'skipped' ? this.position : (this.started ?? this.position);
    this.base += keep;
    this.rest = this.rest.subarray(keep);
    this.position -= keep;
    if (this.started !== undefined) this.started = 0;
    if (this.rest.length > LARGEST_ELEMENT) {
      throw new ScanError(this.base, `the value that starts here does not end within ${LARGEST_ELEMENT} bytes`);
    }
  }

  /** Reads white space and the marks between values. @returns whether a value starts at the position */
  private skipToValue(): boolean {
    const { rest } = this;
    for (; this.position < rest.length; this.position += 1) {
      const byte = rest[this.position] as number;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
      if (this.beginsValue(byte)) return true;
    }
    return false;
  }

  private beginsValue(byte: number): boolean {
    switch (this.expected) {
      case 'document':
        if (byte !== OPEN_BRACE && byte !== OPEN_BRACKET) this.fail('an object or an array expected');
        this.rootIsArray = byte === OPEN_BRACKET;
        if (this.rootIsArray) this.enterArray('');
        else this.expected = 'key or end';
        return false;
      case 'key':
      case 'key or end':
        if (byte === CLOSE_BRACE && this.expected === 'key or end') return this.leaveDocument();
        if (byte !== QUOTE) this.fail('a key in quotes expected');
        this.begin('key');
        return true;
      case 'colon':
        if (byte !== COLON) this.fail('colon expected');
        this.expected = 'value';
        return false;
      case 'comma or end':
        if (byte === COMMA) this.expected = this.level === 'elements' ? 'value' : 'key';
        else if (byte === (this.level === 'elements' ? CLOSE_BRACKET : CLOSE_BRACE)) this.leave();
        else this.fail('comma expected');
        return false;
      case 'value':
        return this.beginsElementOrMember(byte);
      default:
        return this.fail('end of file expected');
    }
  }

  private beginsElementOrMember(byte: number): boolean {
    if (this.level === 'elements') {
      // Only an empty array may close where a value is expected.
      if (byte === CLOSE_BRACKET && this.index === 0) {
        this.leave();
        return false;
      }
      this.begin('element');
    } else if (byte === OPEN_BRACKET && this.wanted.has(this.key)) {
      this.enterArray(this.key);
      return false;
    } else this.begin('skipped');
    if (byte === COMMA || byte === COLON || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.fail('value expected');
    return true;
  }

  private enterArray(key: string): void {
    this.found.add(key);
    this.key = key;
    this.index = 0;
    this.level = 'elements';
    this.expected = 'value';
  }

  private leave(): void {
    if (this.level === 'keys' || this.rootIsArray) this.leaveDocument();
    else {
      this.level = 'keys';
      this.expected = 'comma or end';
    }
  }

  private leaveDocument(): false {
    this.expected = 'nothing';
    return false;
  }

  private begin(role: RecordScanner['role']): void {
    this.role = role;
    this.started = this.position;
    this.depth = 0;
  }

  /** @returns the position after the current value, or undefined when more bytes are needed */
  private endOfValue(): number | undefined {
    const { rest } = this;
    const { length } = rest;
    let { position, depth } = this;
    for (; position < length; position += 1) {
      const kind = kinds[rest[position] as number];
      // Numbers, words and separators inside a value: most of the bytes.
      if (kind === ORDINARY || (kind === SEPARATOR && depth > 0)) continue;
      if (kind === QUOTED) {
        const end = endOfString(rest, position + 1);
        // The next piece is searched from the opening quote again: a backslash may be the last byte of this one.
        if (end === undefined) break;
        position = end;
        if (depth === 0) return position + 1;
      } else if (kind === OPENING) {
        depth += 1;
        if (depth > deepestNesting && this.role === 'element') {
          this.position = position;
          this.fail(`nested deeper than ${deepestNesting} levels`);
        }
      }
      // A number or a word ends before what separates it, or before the bracket around it.
      else if (depth === 0) return position;
      else {
        depth -= 1;
        if (depth === 0) return position + 1;
      }
    }
    this.position = position;
    this.depth = depth;
    return undefined;
  }

  private finish(end: number, elements: ElementBytes[]): void {
    const start = this.started as number;
    this.started = undefined;
    this.position = end;
    if (this.role === 'key') {
      this.key = this.keyAt(start, end);
      this.expected = 'colon';
      return;
    }
    if (this.role === 'element') {
      const bytes = this.rest.subarray(start, end);
      elements.push({ array: this.key, index: this.index, bytes, offset: this.base + start });
      this.index += 1;
    }
    this.expected = 'comma or end';
  }

  private keyAt(start: number, end: number): string {
    try {
      return JSON.parse(this.rest.toString('utf8', start, end)) as string;
    } catch {
      throw new ScanError(this.base + start, 'the key is not a valid string');
    }
  }

  private fail(problem: string): never {
    throw new ScanError(this.base + this.position, problem);
  }
}

/** The position of the closing quote of the string that starts at `from`, when it is there. */
function endOfString(bytes: Buffer, from: number): number | undefined {
  for (let quote = bytes.indexOf(QUOTE, from); quote >= 0; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let first = quote;
    while (first > from && bytes[first - 1] === BACKSLASH) first -= 1;
    if ((quote - first) % 2 === 0) return quote;
  }
  return undefined;
}
