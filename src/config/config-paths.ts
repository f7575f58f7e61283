/**
 * The paths in a config. The schema says of each where it may lead, so that nothing has a list of them by hand: they are made
 * absolute, and held to a worker's settings, by walking the schema.
 */
import { z } from 'zod';
import { innerPath } from '../core/inside.ts';

/**
 * Where a path leads: into the folders of that key of a worker's settings, or into the data root, by which it starts.
 * `secrets` binds files by itself, and `cache` is always the worker's own.
 */
export type PathKind = 'configs' | 'data' | 'models' | 'runs' | 'cache' | 'secrets' | 'the data root';

const kinds = z.registry<{ kind: PathKind }>();

/** The schema of a path in a config. One in the data root can't lead out of it, but for symbolic links there. */
export function pathIn(kind: PathKind): z.ZodString {
  const path = kind === 'the data root' ? innerPath.clone() : z.string().min(1);
  return path.register(kinds, { kind });
}

/** A path in a config. */
export interface ConfigPath {
  keys: PropertyKey[];
  kind: PathKind;
  path: string;
}

/** All paths of a value of the schema that are set. */
export function pathsIn(schema: z.core.$ZodType, value: unknown): ConfigPath[] {
  const paths: ConfigPath[] = [];
  mapPaths(schema, value, (path) => {
    paths.push(path);
    return path.path;
  });
  return paths;
}

/** The same value with other paths. */
export function mapPaths<T>(schema: z.core.$ZodType, value: T, change: (path: ConfigPath) => string): T {
  const walk = (part: z.core.$ZodType, found: unknown, keys: PropertyKey[]): unknown => {
    if (found === undefined) return found;
    const kind = kinds.get(part)?.kind;
    if (kind !== undefined && typeof found === 'string') return change({ keys, kind, path: found });
    const { def } = part._zod as z.core.$ZodTypes['_zod'];
    if ('innerType' in def) return walk(def.innerType, found, keys);
    if (def.type === 'array' && Array.isArray(found)) {
      return found.map((item, index) => walk(def.element, item, [...keys, index]));
    }
    if (def.type !== 'object' || !isRecord(found)) return found;
    const entries = Object.entries(found).map(([key, item]) => {
      const child = Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
      return [key, child === undefined ? item : walk(child, item, [...keys, key])];
    });
    return Object.fromEntries(entries);
  };
  return walk(schema, value, []) as T;
}

/**
 * Every key of the schema with a free text: whether it is a path, and where it leads. `[]` stands for the items of a list.
 * `mapPaths` does not reach those of a record (`{}`) or of several shapes (`|`): no path may be there.
 */
export function textKeys(schema: z.core.$ZodType, key = ''): { key: string; kind: PathKind | undefined }[] {
  const { def } = schema._zod as z.core.$ZodTypes['_zod'];
  if ('innerType' in def) return textKeys(def.innerType, key);
  switch (def.type) {
    case 'string':
      return [{ key, kind: kinds.get(schema)?.kind }];
    case 'array':
      return textKeys(def.element, `${key}[]`);
    case 'record':
      return textKeys(def.valueType, `${key}{}`);
    case 'union':
      return def.options.flatMap((option) => textKeys(option, `${key}|`));
    case 'pipe':
      return textKeys(def.in, `${key}|`);
    case 'object':
      return Object.entries(def.shape).flatMap(([name, child]) =>
        textKeys(child, key === '' ? name : `${key}.${name}`),
      );
    default:
      return [];
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
