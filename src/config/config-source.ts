/** A config as written: one YAML file, or several files, each extending the next. */
import { dirname, resolve } from 'node:path';
import { isMap, isNode } from 'yaml';
import { fieldPath, InputError } from '../core/input-error.ts';
import { readPlainYaml } from '../core/plain-yaml.ts';
import { valueIn } from '../core/records.ts';
import { looksSecret } from '../core/without-secrets.ts';

export interface ConfigSource {
  /** The keys of all files together, environment variables expanded, without `extends`. */
  value: unknown;
  /** Where a value is written: in the file whose value counts, at the value or at the nearest group around it. */
  placeOf: (keys: readonly PropertyKey[]) => { file: string; line?: number };
}

/**
 * Reads a config and what it extends.
 *
 * `extends` names another config, relative to the file it is in. Maps are merged key by key; a list or a plain value
 * replaces the one in the extended file.
 *
 * @param check called with each file before it is read; it throws when the file may not be read
 * @throws InputError with file and line for a file that is missing, is not YAML, or extends itself
 */
export async function readConfigSource(
  file: string,
  check: (file: string) => Promise<void> = async () => undefined,
): Promise<ConfigSource> {
  const sources = await readChain(file, async (one) => {
    await check(one);
    return readOne(one);
  });
  const value = sources.map(({ own }) => own).reduceRight(join);
  return {
    value,
    placeOf: (keys) => {
      for (let length = keys.length; length > 0; length--) {
        for (const { file: source, lineOf } of sources) {
          const line = lineOf(keys.slice(0, length));
          if (line !== undefined) return { file: source, line };
        }
      }
      return { file };
    },
  };
}

interface OneFile {
  file: string;
  own: unknown;
  extends?: string;
  lineOf: (keys: readonly PropertyKey[]) => number | undefined;
}

/** The file, then the file that it extends, and so on. */
async function readChain(file: string, read: (file: string) => Promise<OneFile>): Promise<OneFile[]> {
  const chain: OneFile[] = [await read(file)];
  for (;;) {
    const last = chain.at(-1) as OneFile;
    if (last.extends === undefined) return chain;
    const next = resolve(dirname(last.file), last.extends);
    const place = { file: last.file, line: last.lineOf(['extends']), field: 'extends' };
    const loop = chain.findIndex((source) => resolve(source.file) === next);
    if (loop >= 0) {
      const way = [...chain.slice(loop).map((source) => source.file), next].join(' → ');
      throw new InputError({
        ...place,
        problem: `is circular: ${way}`,
        remedy: 'Remove `extends` from one of them',
      });
    }
    chain.push(
      await read(next).catch((cause: unknown) => {
        if (!(cause instanceof InputError) || cause.file !== next || cause.line !== undefined) throw cause;
        const problem = `${next}: ${cause.problem}`;
        throw new InputError({ ...place, problem, remedy: 'Give a path relative to this file' }, { cause });
      }),
    );
  }
}

async function readOne(file: string): Promise<OneFile> {
  const { value, lineOf } = await readYaml(file);
  const expanded = expandVariables(value, file, process.env);
  if (!isRecord(expanded)) {
    throw new InputError({ file, problem: 'is not a config: it has no keys', remedy: 'Write `key: value` lines' });
  }
  if (expanded.extends === undefined) return { file, own: expanded, lineOf };
  const { extends: base, ...own } = expanded;
  if (typeof base !== 'string' || base === '') {
    const problem = 'must be the path of one config';
    throw new InputError({ file, line: lineOf(['extends']), field: 'extends', problem, remedy: 'Name a YAML file' });
  }
  return { file, own, extends: base, lineOf };
}

async function readYaml(file: string): Promise<{ value: unknown; lineOf: OneFile['lineOf'] }> {
  const { value, document, lineAt } = await readPlainYaml(file);
  const lineOf = (keys: readonly PropertyKey[]): number | undefined => {
    const parent = keys.slice(0, -1);
    const map = parent.length > 0 ? document.getIn(parent, true) : document.contents;
    const key = isMap(map) ? map.items.find((item) => String(item.key) === String(keys.at(-1)))?.key : undefined;
    const node = isNode(key) ? key : document.getIn(keys, true);
    return isNode(node) && node.range ? lineAt(node.range[0]) : undefined;
  };
  return { value: value ?? {}, lineOf };
}

function join(base: unknown, over: unknown): unknown {
  if (!isRecord(base) || !isRecord(over)) return over;
  const keys = [...new Set([...Object.keys(base), ...Object.keys(over)])];
  const joined = (key: string) => (Object.hasOwn(over, key) ? join(valueIn(base, key), over[key]) : base[key]);
  return Object.fromEntries(keys.map((key) => [key, joined(key)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Replaces `${NAME}` and `${NAME:-default}` in all strings of a config by environment variables. As in a shell, an
 * empty variable counts as not set.
 *
 * @throws InputError that names the field, when a variable is not set and has no default.
 */
function expandVariables(value: unknown, file: string, environment: NodeJS.ProcessEnv): unknown {
  const expand = (part: unknown, keys: PropertyKey[]): unknown => {
    if (typeof part === 'string') return expandText(part, keys);
    if (Array.isArray(part)) return part.map((item, index) => expand(item, [...keys, index]));
    if (part === null || typeof part !== 'object') return part;
    return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, expand(item, [...keys, key])]));
  };
  const valueOfVariable = (name: string, fallback: string | undefined, keys: PropertyKey[]) => {
    if (looksSecret(name)) {
      throw new InputError({
        file,
        field: fieldPath(keys),
        problem: `the environment variable ${name} looks like a secret, and the values of a config are kept with the run`,
        remedy: 'Name the variable in the key that takes a name, such as teacher.apiKeyVariable, or rename it',
      });
    }
    const found = valueIn(environment, name) || fallback;
    // Of a proxy or a database, such as https://user:password@host.
    if (found !== undefined && /:\/\/[^/\s@]*@/.test(found)) {
      throw new InputError({
        file,
        field: fieldPath(keys),
        problem: `the environment variable ${name} is an address with a password, and the values of a config are kept with the run`,
        remedy: 'Give the address without user and password',
      });
    }
    if (found !== undefined) return found;
    throw new InputError({
      file,
      field: fieldPath(keys),
      problem: `the environment variable ${name} is not set`,
      remedy: `Set it, or give a default as in \${${name}:-default}`,
    });
  };
  const expandText = (text: string, keys: PropertyKey[]) => {
    // Past the last brace no variable can end: there, each `${` would be searched to the end of the text.
    const end = text.lastIndexOf('}') + 1;
    const expanded = text
      .slice(0, end)
      .replace(/\$\{(\w+)(?::-([^}]*))?\}/g, (_, name: string, fallback: string | undefined) =>
        valueOfVariable(name, fallback, keys),
      );
    return expanded + text.slice(end);
  };
  return expand(value, []);
}
