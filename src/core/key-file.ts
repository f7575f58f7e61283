import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { InputError } from './input-error.ts';

const LONGEST_KEY = 16 * 1024;

/**
 * Reads a key from a file that has nothing else in it, such as a secret that an orchestrator mounts.
 *
 * @param field that names the file
 * @throws InputError, which quotes nothing of the file
 */
export function readKeyFile(file: string, field: string): string {
  const refuse = (problem: string, cause?: unknown) =>
    new InputError({ file, field, problem, remedy: 'Write the key, and nothing else, into this file' }, { cause });
  let text: string;
  try {
    text = readStart(file).trim();
  } catch (cause) {
    throw refuse(`can't be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
  if (text.length > LONGEST_KEY) throw refuse('is longer than any key');
  if (text === '') throw refuse('is empty');
  // It becomes a header's value, and an error about an invalid header would quote it.
  if (/[^\x21-\x7e]/.test(text)) throw refuse('holds more than one word, and no key does');
  return text;
}

/** As much of a file as shows that it is too long. A pipe would wait for a writer, and a device may never end. */
function readStart(file: string): string {
  const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(handle).isFile())
      throw Object.assign(new Error(`${file} is not a regular file`), { code: 'not a regular file' });
    const start = Buffer.alloc(LONGEST_KEY + 1024);
    return start.toString('utf8', 0, readSync(handle, start));
  } finally {
    closeSync(handle);
  }
}
