import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import Assembler from 'stream-json/Assembler.js';
import Parser from 'stream-json/Parser.js';
import { z } from 'zod';
import { InputError } from '../store/input-error.ts';
import { readJson } from '../store/read-json.ts';

interface Token {
  name: string;
  value?: string;
}

/** Takes one element of a top-level array, with its index for messages. */
export type TakeRecord = (record: unknown, index: number) => void;

/**
 * Reads the elements of top-level arrays of a JSON file one by one; the whole file is never in memory.
 *
 * @param arrays what to do with each element, by the array's key; other keys are skipped
 * @param ignoredKeys keys of elements that are not even assembled, such as COCO's `segmentation`
 * @returns the keys of `arrays` that the file has
 * @throws InputError when the file is missing or is not JSON (with line and column where the file is small
 *   enough to look for them), and whatever the takers throw.
 */
export async function streamRecords(
  file: string,
  arrays: Readonly<Record<string, TakeRecord>>,
  ignoredKeys: readonly string[] = [],
): Promise<Set<string>> {
  const reader = recordReader(arrays, new Set(ignoredKeys));
  const parser = new Parser({ packValues: true, streamValues: false });
  let failure: { error: unknown } | undefined;
  const sink = new Writable({
    objectMode: true,
    highWaterMark: 4096,
    write(token: Token, _, done) {
      try {
        reader.take(token);
        done();
      } catch (error) {
        failure = { error };
        done(error as Error);
      }
    },
  });
  try {
    await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), parser, sink);
  } catch (cause) {
    if (failure) throw failure.error;
    throw await explainFailure(file, cause);
  }
  if (!reader.isComplete()) throw await explainFailure(file, undefined);
  return reader.found;
}

function recordReader(arrays: Readonly<Record<string, TakeRecord>>, ignoredKeys: ReadonlySet<string>) {
  const found = new Set<string>();
  let depth = 0;
  let started = false;
  let take: TakeRecord | undefined;
  let index = 0;
  let assembler: Assembler | undefined;
  /** Inside an ignored value: the depth at which it ends, or `next` when it has not begun. */
  let ignored: number | 'next' | undefined;

  const step = ({ name }: Token) => {
    if (name === 'startObject' || name === 'startArray') depth += 1;
    else if (name === 'endObject' || name === 'endArray') depth -= 1;
  };

  return {
    found,
    isComplete: () => started && depth === 0,
    take(token: Token) {
      started = true;
      const before = depth;
      step(token);
      if (before === 1 && token.name === 'keyValue') {
        take = Object.hasOwn(arrays, token.value ?? '') ? arrays[token.value as string] : undefined;
        if (take) found.add(token.value as string);
        index = 0;
        return;
      }
      if (!take || before < 2) return;
      if (ignored === 'next') {
        ignored = depth > before ? before : undefined;
        return;
      }
      if (ignored !== undefined) {
        if (depth === ignored) ignored = undefined;
        return;
      }
      // Records are the objects in the array: depth 1 is the file's object, 2 the array, 3 the record.
      if (before === 2 && depth === 3) assembler = new Assembler();
      if (before === 3 && token.name === 'keyValue' && ignoredKeys.has(token.value ?? '')) {
        ignored = 'next';
        return;
      }
      assembler?.consume(token);
      if (assembler && depth === 2) {
        take(assembler.current, index);
        index += 1;
        assembler = undefined;
      }
    },
  };
}

/** Above this a file is not read again to find the place of an error. */
const LARGEST_TO_SEARCH = 256 * 1024 * 1024;

async function explainFailure(file: string, cause: unknown): Promise<unknown> {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const facts = await stat(file).catch(() => undefined);
  if (!facts?.isFile() || facts.size <= LARGEST_TO_SEARCH) {
    try {
      await readJson(file, z.looseObject({}));
    } catch (error) {
      return error;
    }
  }
  if (code !== undefined) return cause;
  return new InputError(
    { file, problem: 'is not valid JSON, or was cut short', remedy: 'Fetch the file again' },
    { cause },
  );
}
