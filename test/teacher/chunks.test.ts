import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generationRequest } from '../../src/generation/sample-requests.ts';
import { countChunks, indexChunks, readChunk } from '../../src/teacher/chunks.ts';
import { request } from '../generation/requests.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

async function fileOf(count: number, lastLineBreak = '\n'): Promise<string> {
  const file = join(await temporaryFolder(), 'requests.jsonl');
  const lines = Array.from({ length: count }, (_, index) => JSON.stringify(request(index + 1, { question_type: 'é' })));
  await writeFile(file, `${lines.join('\n')}${lastLineBreak}`);
  return file;
}

test.each([
  [10, 4, [4, 4, 2]],
  [8, 4, [4, 4]],
  [1, 4, [1]],
])('%i requests in chunks of %i are all there, in order', async (count, size, sizes) => {
  for (const lineBreak of ['\n', '']) {
    const file = await fileOf(count, lineBreak);
    const index = await indexChunks(file, size);
    expect(index.requests).toBe(count);
    const chunks = await Promise.all(sizes.map((_, chunk) => readChunk(file, index, chunk, generationRequest)));
    expect(countChunks(index)).toBe(sizes.length);
    expect(chunks.map(({ length }) => length)).toEqual(sizes);
    expect(chunks.flat().map(({ image_id }) => image_id)).toEqual(Array.from({ length: count }, (_, each) => each + 1));
  }
});

test('an empty file has no chunks', async () => {
  const file = join(await temporaryFolder(), 'requests.jsonl');
  await writeFile(file, '');
  expect(countChunks(await indexChunks(file, 4))).toBe(0);
});
