import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RecordScanner, ScanError } from '../../src/datasets/record-scanner.ts';
import { streamRecords } from '../../src/datasets/stream-records.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const document = {
  info: { records: [{ trap: 'not at the top' }], text: 'a "quoted" \\ and }]' },
  records: [{ a: 'x\\"]}', b: [[1, 2.5e3], { c: null }] }, { a: 'ü – 猫', b: [] }, 'text "in" quotes', -1.5, true, []],
  empty: [],
  other: [1, 2],
};

/** Scans a text in pieces of a size. */
function scan(text: string, size: number, arrays = ['records', 'empty']) {
  const scanner = new RecordScanner(arrays);
  const bytes = Buffer.from(text);
  const elements = [];
  for (let start = 0; start < bytes.length; start += size) {
    elements.push(...scanner.push(bytes.subarray(start, start + size)));
  }
  scanner.end();
  return { elements, found: [...scanner.found] };
}

describe('RecordScanner', () => {
  it.each([1, 2, 3, 7, 1000])('cuts elements out of pieces of %i bytes', (size) => {
    for (const text of [JSON.stringify(document), JSON.stringify(document, null, 2)]) {
      const { elements, found } = scan(text, size);
      expect(elements.map(({ bytes }) => JSON.parse(bytes.toString()))).toEqual(document.records);
      expect(elements.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
      for (const { bytes, offset } of elements)
        expect(Buffer.from(text).subarray(offset, offset + bytes.length)).toEqual(bytes);
      expect(found).toEqual(['records', 'empty']);
    }
  });

  it('takes a document that is itself a list', () => {
    expect(scan(' [ {"a":1} , 2 ]\n', 3, ['']).elements.map(({ bytes }) => bytes.toString())).toEqual(['{"a":1}', '2']);
    expect(scan('[]', 1, ['']).elements).toEqual([]);
  });

  it.each([
    ['{"records": [1, ]}', 16],
    ['{"records": [1 2]}', 15],
    ['{"records" [1]}', 11],
    ['{records: []}', 1],
    ['{"records": [1]} x', 17],
    ['{"a": 1, }', 9],
    ['{"a": }', 6],
    ['"records"', 0],
    ['{"records": [1}', 14],
    ['{"records": [{"a": "never closed}]}', 35],
    ['', 0],
  ])('names the byte at which %s is broken', (text, offset) => {
    for (const size of [1, 100]) {
      let failure: unknown;
      try {
        scan(text, size);
      } catch (error) {
        failure = error;
      }
      expect(failure).toBeInstanceOf(ScanError);
      expect((failure as ScanError).offset).toBe(offset);
    }
  });
});

describe('streamRecords', () => {
  const schema = z.object({ id: z.int() });

  async function read(text: string, schemas: Record<string, z.ZodType>) {
    const file = join(await temporaryFolder(), 'records.json');
    await writeFile(file, text);
    const records = [];
    for await (const batch of streamRecords(file, schemas)) records.push(...batch);
    return records;
  }

  it('checks each element', async () => {
    expect(await read('{"b": [{"id": 1, "x": 2}], "a": [{"id": 3}]}', { a: schema, b: schema })).toEqual([
      { array: 'b', index: 0, value: { id: 1 } },
      { array: 'a', index: 0, value: { id: 3 } },
    ]);
    await expect(read('{"a": [{"id": 1}, {"id": "x"}]}', { a: schema })).rejects.toThrow(/: a\[1\]\.id: /);
    await expect(read('[{"id": 1}, {"id": "x"}]', { '': schema })).rejects.toThrow(/: \[1\]\.id: /);
  });

  it('takes a byte order mark at the start for no part of the file', async () => {
    const file = 'test/fixtures/bugs/16-small/bom.json';
    const ids: string[] = [];
    for await (const batch of streamRecords(file, { '': z.object({ question_id: z.string() }) }))
      ids.push(...batch.map(({ value }) => value.question_id));
    expect(ids).toEqual(['22jbM6gDxdaMaunuzgrsBB', '2Aq5RiEn7eyfWjEbpuYT2o', '2Br4bJfKY7SQM9DECrqqeG']);
  });

  it('names line and column inside an element', async () => {
    const text = '{"a": [\n  {"id": 1},\n  {"id": "ü", "x": }\n]}';
    await expect(read(text, { a: schema })).rejects.toThrow(/records\.json:3:20: is not valid JSON/);
  });

  it('distinguishes a list from an object', async () => {
    await expect(read('[{"id": 1}]', { a: schema })).rejects.toThrow(/a: is missing/);
    await expect(read('{"a": [{"id": 1}]}', { '': schema })).rejects.toThrow(/is not a list/);
  });
});
