/**
 * Small tokenizers of every kind, and what Python's `tokenizers` 0.23.3 makes of some texts with them:
 * `test/fixtures/make-tokenizer-styles-fixture.py` made them, and recorded ids and texts.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { loadTokenizer, type Tokenizer } from '../../src/model/text/tokenizer.ts';
import { temporaryFolder } from './temporary-folder.ts';

interface Style {
  name: string;
  tokenizer: Record<string, unknown>;
  /** Of every text, without special tokens around it. */
  ids: number[][];
  /** With special tokens around it, where that differs; by the text's index. */
  whole: Record<number, number[]>;
  /** The text of the ids, where it differs from the text. */
  decoded: Record<number, string>;
}

const fixture = path.join(import.meta.dirname, '../fixtures/tokenizer-styles.jsonl.gz');
const [first = '', ...lines] = gunzipSync(readFileSync(fixture)).toString('utf8').trimEnd().split('\n');

export const { texts } = JSON.parse(first) as { texts: string[] };
export const styles = lines.map((line) => JSON.parse(line) as Style);

export function styleNamed(wanted: string): Style {
  return styles.find(({ name }) => name === wanted) as Style;
}

/** The tokenizer of a `tokenizer.json` with this content. */
export async function loadContent(content: unknown): Promise<Tokenizer> {
  const directory = await temporaryFolder();
  await writeFile(path.join(directory, 'tokenizer.json'), JSON.stringify(content));
  return loadTokenizer(directory);
}
