import { existsSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import type { z } from 'zod';
import { type Access, requireConfigAccess, requireDataAccess } from '../core/access.ts';
import { projectFile } from '../core/files.ts';
import { describeFirstIssue, fieldPath, InputError } from '../core/input-error.ts';
import { isBelow } from '../core/inside.ts';
import { valueIn } from '../core/records.ts';
import { isRemote } from '../core/remote/store-uri.ts';
import { type ConfigPath, mapPaths } from './config-paths.ts';
import { type ConfigSource, readConfigSource } from './config-source.ts';
import { type Config, configJsonSchema, configSchema } from './schema.ts';
import { knownKeys, nearestKey, newNameOf } from './unknown-keys.ts';

/** What the command line or a workflow's input may change in a config file. */
export interface ConfigOverrides {
  /** From the current folder. */
  dataRoot?: string;
  run?: string;
  seed?: number;
  rounds?: number;
  samplingStrategy?: Config['sampling']['strategy'];
}

/**
 * Reads a YAML config and what it extends, expands environment variables, applies the overrides and fills in
 * defaults. All paths but those in the data root are absolute then: each starts in the folder of the file that it is written in.
 *
 * @param access of the worker that a workflow asked to read it; undefined for a config that a person named in a terminal
 * @throws InputError with the line of a syntax error; with the line and the nearest known keys for an unknown key, or
 *   its new name when it was renamed; with the line and field of a value that is not allowed
 */
export async function loadConfig(file: string, overrides: ConfigOverrides = {}, access?: Access): Promise<Config> {
  await requireDataAccess(access, overrides.dataRoot);
  const source = await readConfigSource(file, (one) => requireConfigAccess(access, one));
  const result = configSchema.safeParse(applyOverrides(source.value, overrides));
  if (result.success) return withAbsolutePaths(source, file, result.data);
  throw inputErrorOf(source, result.error);
}

/**
 * Makes the paths of a config absolute. A default leads to what comes with the program, or to the config's own folder. Prompts and
 * models that come with the program are named by their path in the project, wherever the config is.
 */
function withAbsolutePaths({ value, placeOf }: ConfigSource, file: string, config: Config): Config {
  return mapPaths(configSchema, config, ({ keys, kind, path }) => {
    if (kind === 'the data root' || isAbsolute(path) || isRemote(path)) return path;
    const isShippedKind = kind === 'configs' || kind === 'models';
    if (!isWritten(value, keys)) return isShippedKind ? projectFile(path) : resolve(folderOf(file), path);
    const written = placeOf(keys).file;
    const own = resolve(folderOf(written), path);
    if (!isShippedKind || existsSync(own)) return own;
    const shipped = [resolve(dirname(written), path), projectFile(path)];
    return shipped.find((one) => isBelow(one, [projectFile('')]) && existsSync(one)) ?? own;
  });
}

/** Keys of lists are indices. */
function isWritten(value: unknown, keys: ConfigPath['keys']): boolean {
  const own = (part: unknown, key: PropertyKey): unknown =>
    typeof part === 'object' && part !== null ? valueIn(part as Record<PropertyKey, unknown>, String(key)) : undefined;
  return keys.reduce(own, value) !== undefined;
}

/**
 * The folder that paths in a config start in. Nothing is written into an installed package: its configs are read as if they were
 * in `configs/` of the current folder.
 */
function folderOf(file: string): string {
  const folder = dirname(resolve(file));
  const shipped = projectFile('configs');
  if (!shipped.includes(`${sep}node_modules${sep}`) || !isBelow(folder, [shipped])) return folder;
  return resolve('configs', relative(shipped, folder));
}

function applyOverrides(raw: unknown, overrides: ConfigOverrides): unknown {
  if (!isRecord(raw)) return raw;
  const { dataRoot, run, seed, rounds, samplingStrategy } = overrides;
  const top = { run, seed, rounds };
  const given = Object.fromEntries(Object.entries(top).filter(([, value]) => value !== undefined));
  return {
    ...raw,
    ...given,
    ...(dataRoot !== undefined && { data: { ...(isRecord(raw.data) && raw.data), root: resolve(dataRoot) } }),
    ...(samplingStrategy !== undefined && {
      sampling: { ...(isRecord(raw.sampling) && raw.sampling), strategy: samplingStrategy },
    }),
  };
}

function inputErrorOf({ placeOf }: ConfigSource, error: z.ZodError): InputError {
  // An unknown key is said first: it is often the reason why a needed key seems to be missing.
  const unknown = error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown) {
    const key = unknown.keys[0] ?? '';
    const keys = [...unknown.path, key];
    return new InputError({ ...placeOf(keys), field: fieldPath(keys), ...aboutUnknown(unknown.path, key) });
  }
  const { field, problem } = describeFirstIssue(error);
  const remedy = 'configs/schema.json says what is allowed';
  const place = placeOf(error.issues[0]?.path ?? []);
  return new InputError({ ...place, field: field || undefined, problem, remedy });
}

function aboutUnknown(place: readonly PropertyKey[], key: string): { problem: string; remedy: string } {
  const newName = newNameOf([...place, key]);
  if (newName !== undefined) return { problem: `was renamed to ${newName}`, remedy: 'Use the new name' };
  const schema = configJsonSchema();
  const nearest = nearestKey(schema, place, key);
  const remedy = nearest ? `Did you mean ${nearest}?` : `Known here are ${knownKeys(schema, place).join(', ')}`;
  return { problem: 'no such key', remedy };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
