import { type Access, isOnThisMachine, mayReceiveSecret } from '../core/access.ts';
import { InputError } from '../core/input-error.ts';
import { readKeyFile } from '../core/key-file.ts';
import { keepSecret } from '../core/without-secrets.ts';

/** Where the teacher's key is: in a file, such as a secret that an orchestrator mounts, or else in a variable. */
export interface ApiKeyPlace {
  apiKeyVariable: string;
  apiKeyFile?: string | undefined;
  /** Which secrets may go to which hosts; absent for work that a person typed. */
  access?: Access;
}

/** What goes instead of a key to a server on this machine that no secret is bound to, or where there is none: they take any word. */
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
    if (isOnThisMachine(new URL(address))) return noKey;
    throw new InputError({
      file: 'environment',
      field: apiKeyVariable,
      problem: 'is not set, and the teacher needs a key',
      remedy: `Set ${apiKeyVariable} (to any word for a server that takes none), name a file with it in teacher.apiKeyFile, or choose the local teacher (teacher.provider: local)`,
    });
  }
  const key = readKeyFile(apiKeyFile, 'teacher.apiKeyFile');
  keepSecret('teacher.apiKeyFile', key);
  return key;
}
