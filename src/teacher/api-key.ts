import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type Access, mayReceiveSecret } from '../core/access.ts';
import { InputError } from '../core/input-error.ts';
import { keepSecret } from '../core/without-secrets.ts';

/** Where the teacher's key is: in a file, such as a secret that an orchestrator mounts, or else in a variable. */
export interface ApiKeyPlace {
  apiKeyVariable: string;
  apiKeyFile?: string | undefined;
  /** Which secrets may go to which hosts; absent for work that a person typed. */
  access?: Access;
}

/** What goes instead of a key to a server on this machine that no secret is bound to: such servers take any word. */
const noKey = 'none';

/**
 * Reads the key. It is read anew for each piece of work, so a changed key takes effect, and kept nowhere.
 *
 * @param address of the server that it goes to
 * @throws InputError when there is no key, or when this worker may not send it to that host
 */
export function readApiKey(
  { apiKeyVariable, apiKeyFile, access }: ApiKeyPlace,
  address: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (!mayReceiveSecret(access, { variable: apiKeyVariable, file: apiKeyFile }, address)) return noKey;
  if (apiKeyFile === undefined) {
    const key = environment[apiKeyVariable];
    if (key) {
      // Whatever the variable is called.
      keepSecret(apiKeyVariable, key);
      return key;
    }
    throw new InputError({
      file: 'environment',
      field: apiKeyVariable,
      problem: 'is not set, and the teacher needs a key',
      remedy: `Set ${apiKeyVariable}, name a file with it in teacher.apiKeyFile, or choose the local teacher (teacher.provider: local)`,
    });
  }
  const key = readKeyFile(apiKeyFile);
  keepSecret('teacher.apiKeyFile', key);
  return key;
}

const LONGEST_KEY = 16 * 1024;

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

function readKeyFile(file: string): string {
  const refuse = (problem: string, cause?: unknown) =>
    new InputError(
      { file, field: 'teacher.apiKeyFile', problem, remedy: 'Write the key, and nothing else, into this file' },
      { cause },
    );
  let text: string;
  try {
    text = readStart(file).trim();
  } catch (cause) {
    throw refuse(`can't be read (${(cause as NodeJS.ErrnoException).code}), and the teacher needs a key`, cause);
  }
  if (text.length > LONGEST_KEY) throw refuse('is longer than any key');
  if (text === '') throw refuse('is empty, and the teacher needs a key');
  // It becomes a header's value, and an error about an invalid header would quote it.
  if (/[^\x21-\x7e]/.test(text)) throw refuse('holds more than one word, and no key does');
  return text;
}
