import { fieldPath } from '../core/field-path.ts';
import { InputError } from '../core/input-error.ts';

/**
 * Replaces `${NAME}` and `${NAME:-default}` in every text of a config by environment variables. A variable
 * that is set but empty counts as not set, as in a shell.
 *
 * @throws InputError that names the field, when a variable is not set and has no default.
 */
export function expandVariables(value: unknown, file: string, environment: NodeJS.ProcessEnv): unknown {
  const expand = (part: unknown, keys: PropertyKey[]): unknown => {
    if (typeof part === 'string') return expandText(part, keys);
    if (Array.isArray(part)) return part.map((item, index) => expand(item, [...keys, index]));
    if (part === null || typeof part !== 'object') return part;
    return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, expand(item, [...keys, key])]));
  };
  const expandText = (text: string, keys: PropertyKey[]) =>
    text.replace(/\$\{(\w+)(?::-([^}]*))?\}/g, (_, name: string, fallback: string | undefined) => {
      const found = environment[name] || fallback;
      if (found !== undefined) return found;
      throw new InputError({
        file,
        field: fieldPath(keys),
        problem: `the environment variable ${name} is not set`,
        remedy: `Set it, or give a default as in \${${name}:-default}`,
      });
    });
  return expand(value, []);
}
