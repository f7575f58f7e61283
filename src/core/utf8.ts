/** Text that somebody else wrote: bytes that are not UTF-8 would become replacement characters in silence. */
import { isUtf8 } from 'node:buffer';
import { InputError, type InputProblem } from './input-error.ts';

const LINE_BREAK = 0x0a;
const LONGEST_LINE = 64 * 1024 * 1024;

/** @throws InputError with the place for bytes in another encoding, such as Latin-1 */
export function utf8Text(bytes: Buffer, place: Pick<InputProblem, 'file' | 'line' | 'field'>): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw notUtf8(place);
}

/**
 * The same of a text in pieces, which may end anywhere.
 *
 * @throws InputError with the line that is not UTF-8, or is longer than 64 MiB
 */
export async function* utf8Pieces(pieces: AsyncIterable<Buffer>, file: string): AsyncGenerator<string> {
  let lines = 0;
  let rest: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces) {
    const end = piece.lastIndexOf(LINE_BREAK) + 1;
    if (end > 0) {
      const whole = Buffer.concat([...rest, piece.subarray(0, end)]);
      if (!isUtf8(whole)) throw notUtf8({ file, line: lines + firstWrongLine(whole) });
      yield whole.toString('utf8');
      lines += lineBreaks(whole);
      [rest, length] = [[], 0];
    }
    rest.push(piece.subarray(end));
    length += piece.length - end;
    if (length > LONGEST_LINE) {
      const problem = `the line is longer than ${LONGEST_LINE / 1024 / 1024} MiB`;
      throw new InputError({ file, line: lines + 1, problem, remedy: 'Check that it is the right file' });
    }
  }
  if (length > 0) yield utf8Text(Buffer.concat(rest), { file, line: lines + 1 });
}

/** @throws InputError for a file that starts with the mark of UTF-16 */
export function refuseUtf16(head: Buffer, file: string): void {
  const mark = head.subarray(0, 2).toString('hex');
  if (mark === 'fffe' || mark === 'feff') throw notUtf8({ file }, 'is UTF-16');
}

function notUtf8(place: Pick<InputProblem, 'file' | 'line' | 'field'>, problem = 'is not UTF-8'): InputError {
  return new InputError({ ...place, problem, remedy: 'Save the file as UTF-8' });
}

function lineBreaks(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_BREAK); at >= 0; at = bytes.indexOf(LINE_BREAK, at + 1)) count += 1;
  return count;
}

/** Counted from 1; a byte of a line break is part of no other character. */
function firstWrongLine(bytes: Buffer): number {
  let line = 1;
  let start = 0;
  for (let end = bytes.indexOf(LINE_BREAK); end >= 0; end = bytes.indexOf(LINE_BREAK, start)) {
    if (!isUtf8(bytes.subarray(start, end))) return line;
    [start, line] = [end + 1, line + 1];
  }
  return line;
}
