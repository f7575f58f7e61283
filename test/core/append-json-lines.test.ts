import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openJsonLines } from '../../src/core/append-json-lines.ts';
import { StorageError } from '../../src/core/write-file.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { noTinyDisk, tinyDisk } from '../helpers/tiny-disk.ts';

describe('openJsonLines', () => {
  it('appends a line for each value, in the order of the calls', async () => {
    const file = join(await temporaryFolder(), 'generate/answers.jsonl');
    for (const values of [[1, 2, 3], [4]]) {
      const lines = await openJsonLines(file);
      await Promise.all(values.map((id) => lines.append({ id })));
      await lines.close();
    }
    expect(await readFile(file, 'utf8')).toBe('{"id":1}\n{"id":2}\n{"id":3}\n{"id":4}\n');
  });

  it('removes a partial last line, however long, before it appends one', async () => {
    const file = join(await temporaryFolder(), 'answers.jsonl');
    await writeFile(file, `{"id":1}\n{"text":"${'x'.repeat(200_000)}`);
    const lines = await openJsonLines(file);
    await lines.append({ id: 2 });
    await lines.close();
    expect(await readFile(file, 'utf8')).toBe('{"id":1}\n{"id":2}\n');
  });

  it('leaves only complete lines when the disk is full, and continues once there is space', async (context) => {
    const disk = tinyDisk(256 * 1024) ?? context.skip(noTinyDisk);
    const file = join(disk, 'answers.jsonl');
    const lines = await openJsonLines(file);
    await lines.append({ id: 1 });
    await expect(lines.append({ text: 'x'.repeat(400 * 1024) })).rejects.toThrow(StorageError);
    await lines.append({ id: 2 });
    await lines.close();
    expect(await readFile(file, 'utf8')).toBe('{"id":1}\n{"id":2}\n');
  });
});
