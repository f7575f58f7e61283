import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StorageError, writeFileAtomically, writeJson } from '../../src/core/write-file.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { noTinyDisk, tinyDisk } from '../helpers/tiny-disk.ts';

const mebibyte = 1024 * 1024;

describe('writeFileAtomically', () => {
  it('writes text and bytes, and creates missing folders', async () => {
    const folder = await temporaryFolder();
    await writeFileAtomically(join(folder, 'a/b/text.txt'), 'grüße');
    await writeFileAtomically(join(folder, 'a/b/bytes.bin'), new Uint8Array([0, 255]));
    expect(await readFile(join(folder, 'a/b/text.txt'), 'utf8')).toBe('grüße');
    expect([...(await readFile(join(folder, 'a/b/bytes.bin')))]).toEqual([0, 255]);
    expect(await readdir(join(folder, 'a/b'))).toEqual(['bytes.bin', 'text.txt']);
  });

  it('lets a reader see the old file or the new one, never a mixture, while writers race', async () => {
    const file = join(await temporaryFolder(), 'weights.bin');
    const versions = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(mebibyte));
    await writeFileAtomically(file, versions[0] as string);
    const writing = Promise.all(versions.map((version) => writeFileAtomically(file, version)));
    for (let reads = 0; reads < 20; reads += 1) expect(versions).toContain(await readFile(file, 'utf8'));
    await writing;
  });

  it('keeps the old file on a full disk, leaves no partial file, and names the file', async (context) => {
    const disk = tinyDisk(mebibyte) ?? context.skip(noTinyDisk);
    const file = join(disk, 'merged/model.safetensors');
    await writeFileAtomically(file, 'the old one');

    const failure = await writeFileAtomically(file, new Uint8Array(2 * mebibyte)).catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(StorageError);
    expect(failure).toMatchObject({
      file,
      code: 'ENOSPC',
      message: `${file}: the disk is full. Free some space and try again`,
    });
    expect(await readdir(join(disk, 'merged'))).toEqual(['model.safetensors']);
    expect(await readFile(file, 'utf8')).toBe('the old one');
  });

  it('names the file when its folder is a file', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'a'), '');
    await expect(writeFileAtomically(join(folder, 'a/b.txt'), '')).rejects.toThrow(join(folder, 'a/b.txt'));
  });

  it('leaves no temporary file when the target is a folder', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'target'));
    await expect(writeFileAtomically(join(folder, 'target'), 'text')).rejects.toThrow(StorageError);
    expect(await readdir(folder)).toEqual(['target']);
  });
});

describe('writeJson', () => {
  it('indents by two spaces and ends with a line break', async () => {
    const file = join(await temporaryFolder(), 'weight.json');
    await writeJson(file, { counting: 0.25, colors: [] });
    expect(await readFile(file, 'utf8')).toBe('{\n  "counting": 0.25,\n  "colors": []\n}\n');
  });
});
