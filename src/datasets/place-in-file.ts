import { createReadStream } from 'node:fs';

const LINE_BREAK = 0x0a;

/**
 * The line and column, both from 1, of a byte of a UTF-8 file. The file is read up to there again: only messages
 * about broken files need it.
 */
export async function placeInFile(file: string, offset: number): Promise<{ line: number; column: number }> {
  let line = 1;
  let column = 1;
  if (offset === 0) return { line, column };
  for await (const piece of createReadStream(file, { end: offset - 1, highWaterMark: 1024 * 1024 })) {
    for (const byte of piece as Buffer) {
      if (byte === LINE_BREAK) {
        line += 1;
        column = 1;
      } else if ((byte & 0xc0) !== 0x80) {
        // Every byte of UTF-8 but the ones that go on with a character.
        column += 1;
      }
    }
  }
  return { line, column };
}
