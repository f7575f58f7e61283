/** Both trainers break special tokens in texts alike, for every kind of tokenizer. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import { marksIn, textsWith } from '../../helpers/marked-texts.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { styles, texts } from '../../helpers/tokenizer-styles.ts';
import { TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

describe.skipIf(!torchIsSetUp)('text with special tokens in it', () => {
  test('has the same breaks and the same ids in both trainers', async () => {
    const folder = await temporaryFolder();
    const all = [
      ...new Set([...texts, ...textsWith(styles.flatMap(({ tokenizer }) => marksIn(tokenizer)).slice(0, 40))]),
    ];
    const file = path.join(folder, 'texts.json');
    await writeFile(file, JSON.stringify(all));
    const directories = await Promise.all(
      styles.map(async ({ name, tokenizer }) => {
        const directory = path.join(folder, name);
        await mkdir(directory);
        await writeFile(path.join(directory, 'tokenizer.json'), JSON.stringify(tokenizer));
        return directory;
      }),
    );
    const output = path.join(folder, 'plain.jsonl');
    await torchPython('plain-text.py', file, output, ...directories);
    const lines = (await readFile(output, 'utf8')).split('\n');
    expect(lines).toHaveLength(styles.length);
    for (const [index, directory] of directories.entries()) {
      const { plainText, encode } = await loadTokenizer(directory);
      const plain = all.map(plainText);
      const theirs = JSON.parse(lines[index] as string) as { plain: string[]; ids: number[][] };
      expect(theirs.plain, directory).toEqual(plain);
      expect(theirs.ids, directory).toEqual(await Promise.all(plain.map((text) => encode(text))));
    }
  });
});
