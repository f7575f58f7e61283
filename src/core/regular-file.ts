/** Files that somebody else named: opened without waiting, and read up to a limit. */
import { constants as bufferLimits } from 'node:buffer';
import { constants as modes } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { InputError } from './input-error.ts';

/** The longest text that Node can hold. */
export const longestText = bufferLimits.MAX_STRING_LENGTH;

/**
 * Opens a file for reading. A pipe would wait for somebody who writes into it, and a device may never end.
 *
 * @throws InputError when it is missing, is no regular file, or may not be read
 */
export async function openRegularFile(file: string): Promise<FileHandle> {
  return openWithoutWaiting(file).catch((cause: unknown) => {
    throw inputErrorOfFile(file, cause);
  });
}

/** The same with the system's own errors, for files of this program's. @throws InputError when it is no regular file */
export async function openWithoutWaiting(file: string): Promise<FileHandle> {
  const handle = await open(file, modes.O_RDONLY | modes.O_NONBLOCK);
  const info = await handle.stat();
  if (info.isFile()) return handle;
  await handle.close();
  if (info.isDirectory()) throw folderError(file);
  throw irregularError(file);
}

/**
 * Reads a whole file that a person named.
 *
 * @param mostBytes its size at most
 * @throws InputError as `openRegularFile` does, and when it is larger
 */
export async function readRegularFile(file: string, mostBytes: number): Promise<Buffer> {
  const handle = await openRegularFile(file);
  try {
    const { size } = await handle.stat();
    if (size > mostBytes) throw tooLarge(file, `has ${size} bytes`, mostBytes);
    if (size > 0) return await handle.readFile();
    // The system's own files, such as those in /proc, do not say how long they are.
    const pieces: Buffer[] = [];
    let length = 0;
    for await (const piece of piecesOfOpen(handle, mostBytes)) {
      pieces.push(piece);
      length += piece.length;
    }
    if (length > mostBytes) throw tooLarge(file, 'does not end', mostBytes);
    return Buffer.concat(pieces);
  } catch (cause) {
    throw inputErrorOfFile(file, cause);
  } finally {
    await handle.close();
  }
}

/**
 * The content of a file in pieces of at most a megabyte.
 *
 * @param end the position of the last byte that is read
 * @throws InputError as `openRegularFile` does
 */
export async function* piecesOf(file: string, end = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  const handle = await openRegularFile(file);
  try {
    yield* piecesOfOpen(handle, end);
  } catch (cause) {
    throw inputErrorOfFile(file, cause);
  } finally {
    await handle.close();
  }
}

/** The same of an open file, which stays open. */
export function piecesOfOpen(handle: FileHandle, end = Number.POSITIVE_INFINITY): AsyncIterable<Buffer> {
  return handle.createReadStream({ end, highWaterMark: 1024 * 1024, autoClose: false }) as AsyncIterable<Buffer>;
}

/** The error of opening or reading a file that a person named: an InputError where that person can repair it. */
export function inputErrorOfFile(file: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return new InputError({ file, problem: 'no such file', remedy: 'Check the path' }, { cause });
  if (code === 'EISDIR') return folderError(file, cause);
  // A socket, or a device without a driver.
  if (code === 'ENXIO') return irregularError(file, cause);
  if (code === 'EACCES') {
    return new InputError({ file, problem: 'may not be read', remedy: 'Check its permissions' }, { cause });
  }
  return cause;
}

function irregularError(file: string, cause?: unknown): InputError {
  const remedy = 'Name a file, no pipe and no device';
  return new InputError({ file, problem: 'is not a regular file', remedy }, { cause });
}

function folderError(file: string, cause?: unknown): InputError {
  return new InputError({ file, problem: 'is a folder, not a file', remedy: 'Name the file inside it' }, { cause });
}

function tooLarge(file: string, problem: string, mostBytes: number): InputError {
  return new InputError({
    file,
    problem: `${problem}, and such a file may have ${mostBytes}`,
    remedy: 'Check that it is the right file, or make it smaller',
  });
}
