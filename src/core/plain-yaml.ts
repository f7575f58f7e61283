/** YAML that people write: configs, settings, prices, question types, the front matter of prompts. */
import {
  Composer,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  YAMLParseError,
} from 'yaml';
import { InputError } from './input-error.ts';
import { readTextFile } from './read-json.ts';

/** Of an alias, each of which may stand for a large value. */
const mostAliases = 100;
/** The composer calls itself for each level, and a stack that overflows within it ends the process. */
const deepestNesting = 100;
/** Keys, values, comments and the marks between them: the longest files that people write have a few thousand. */
const mostTokens = 100_000;
const mostBytes = 16 * 1024 * 1024;

export interface PlainYaml {
  value: unknown;
  document: Document.Parsed;
  /** The line of an offset, counted from 1. */
  lineAt: (offset: number) => number;
}

/** Reads a YAML file. @throws InputError as `parsePlainYaml` and `readTextFile` do */
export async function readPlainYaml(file: string): Promise<PlainYaml> {
  return parsePlainYaml(await readTextFile(file, mostBytes), file);
}

/**
 * Parses a person's YAML document, which must be plain. Tags other than YAML's own are refused, because the reader may not
 * support them, and so is what makes a huge or endless value of a small file: aliases within aliases, deep nesting.
 *
 * @param options.firstLine the line of the file on which the document starts; counted from 1
 * @throws InputError with line and column; none quotes a value of the file
 */
export function parsePlainYaml(text: string, file: string, { firstLine = 1 }: { firstLine?: number } = {}): PlainYaml {
  const lines = new LineCounter();
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const refuse = (offset: number, problem: string, remedy: string) => {
    const { line, col } = lines.linePos(offset);
    return new InputError({ file, line: line + firstLine - 1, column: col, problem, remedy });
  };
  const document = composeOne(text, lines, refuse);
  const [broken] = document.errors;
  if (broken) throw refuse(broken.pos[0], `is not valid YAML: ${wordsOf(broken)}`, 'Correct the file here');
  const [tag] = document.warnings;
  if (tag !== undefined) throw refuse(tag.pos[0], `has an unknown tag`, 'Write the value without a tag');
  requirePlain(document, refuse);
  try {
    return { value: document.toJS({ maxAliasCount: mostAliases }), document, lineAt };
  } catch (cause) {
    const problem = `aliases (*name) repeat too much, or are of nothing (${withoutContent((cause as Error).message)})`;
    throw new InputError({ file, problem, remedy: 'Write the values out' });
  }
}

type Refuse = (offset: number, problem: string, remedy: string) => InputError;

/** As `parseDocument` does, which has no limits; and its check of keys compares each with all others. */
function composeOne(text: string, lines: LineCounter, refuse: Refuse): Document.Parsed {
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false });
  const [first, second] = composer.compose(limitedTokens(text, lines, refuse), true, text.length);
  const document = first as Document.Parsed;
  if (second) {
    const problem = 'Source contains multiple documents';
    document.errors.push(new YAMLParseError([second.range[0], second.range[1]], 'MULTIPLE_DOCS', problem));
  }
  return document;
}

function* limitedTokens(text: string, lines: LineCounter, refuse: Refuse) {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    count += 1;
    if (count > mostTokens) throw refuse(parser.offset, 'has too many keys and values', 'Write a smaller file');
    if (parser.stack.length > deepestNesting) throw tooDeep(parser.offset, refuse);
  }
  yield* parser.end();
}

function tooDeep(offset: number, refuse: Refuse): InputError {
  return refuse(offset, `is nested deeper than ${deepestNesting} levels`, 'Write it flatter');
}

/** @throws InputError for a key that is there twice, and for aliases that nest deeply or hold themselves */
function requirePlain({ contents }: Document.Parsed, refuse: Refuse): void {
  /** Levels below each anchor. */
  const heights = new Map<string, number>();
  const heightOf = (node: unknown): number => {
    if (isPair(node)) return Math.max(heightOf(node.key), heightOf(node.value));
    if (!isNode(node)) return 0;
    const offset = node.range?.[0] ?? 0;
    if (isAlias(node)) {
      const height = heights.get(node.source);
      if (height === undefined) throw refuse(offset, 'an alias (*name) is of nothing before it', 'Write the value out');
      return height;
    }
    if (isMap(node)) requireUniqueKeys(node.items, refuse);
    const height = isCollection(node)
      ? 1 + node.items.reduce((most: number, item) => Math.max(most, heightOf(item)), 0)
      : 0;
    if (height > deepestNesting) throw tooDeep(offset, refuse);
    if (!isAlias(node) && node.anchor !== undefined) heights.set(node.anchor, height);
    return height;
  };
  heightOf(contents);
}

function requireUniqueKeys(pairs: readonly { key: unknown }[], refuse: Refuse): void {
  const keys = new Set<unknown>();
  for (const { key } of pairs) {
    if (!isScalar(key)) continue;
    if (keys.has(key.value)) {
      throw refuse(key.range?.[0] ?? 0, 'is not valid YAML: Map keys must be unique', 'Correct the file here');
    }
    keys.add(key.value);
  }
}

function wordsOf({ code, message }: YAMLParseError): string {
  if (code === 'BAD_DQ_ESCAPE') return 'Invalid escape sequence';
  if (code === 'BAD_DIRECTIVE') return 'Invalid directive';
  return withoutContent(message);
}

/** Messages of the library quote the file after a colon. */
function withoutContent(message: string): string {
  return message.split('\n')[0]?.replace(/(?<=\S): .*$/, '') ?? '';
}
