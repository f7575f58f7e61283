import { isMap, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { describeFirstIssue, fieldPath } from '../store/field-path.ts';
import { InputError } from '../store/input-error.ts';
import { readTextFile } from '../store/read-json.ts';
import { expandVariables } from './expand-variables.ts';
import { nearestKey } from './nearest-key.ts';
import { type Config, configJsonSchema, configSchema } from './schema.ts';

/** What the command line or a workflow's input may change in a config file. */
export interface ConfigOverrides {
  dataRoot?: string;
  run?: string;
  seed?: number;
  rounds?: number;
  samplingStrategy?: Config['sampling']['strategy'];
}

/**
 * Reads a YAML config, expands environment variables in it, applies the overrides and fills in defaults.
 *
 * @throws InputError with the line of a syntax error, with the line and the nearest known key for an unknown
 *   key, and with the line and field of a value that is not allowed.
 */
export async function loadConfig(file: string, overrides: ConfigOverrides = {}): Promise<Config> {
  const source = parseYaml(await readTextFile(file), file);
  const raw = applyOverrides(expandVariables(source.value, file, process.env), overrides);
  const result = configSchema.safeParse(raw);
  if (result.success) return result.data;
  throw inputErrorOf(file, result.error, source.lineOf);
}

interface YamlSource {
  value: unknown;
  /** The line of the value at this place, or of the nearest thing around it that the file holds. */
  lineOf: (keys: readonly PropertyKey[]) => number | undefined;
}

function parseYaml(text: string, file: string): YamlSource {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const broken = document.errors[0];
  if (broken) {
    const { line, col: column } = lineCounter.linePos(broken.pos[0]);
    const problem = `is not valid YAML: ${broken.message}`;
    throw new InputError({ file, line, column, problem, remedy: 'Mend the file at this place' }, { cause: broken });
  }
  const lineOf = (keys: readonly PropertyKey[]): number | undefined => {
    const parent = keys.slice(0, -1);
    const map = parent.length > 0 ? document.getIn(parent, true) : document.contents;
    const key = isMap(map) ? map.items.find((item) => String(item.key) === String(keys.at(-1)))?.key : undefined;
    const node = isNode(key) ? key : keys.length > 0 ? document.getIn(keys, true) : undefined;
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
    return keys.length > 0 ? lineOf(parent) : undefined;
  };
  return { value: document.toJS() ?? {}, lineOf };
}

function applyOverrides(raw: unknown, overrides: ConfigOverrides): unknown {
  if (!isRecord(raw)) return raw;
  const { dataRoot, run, seed, rounds, samplingStrategy } = overrides;
  const top = { run, seed, rounds };
  const given = Object.fromEntries(Object.entries(top).filter(([, value]) => value !== undefined));
  return {
    ...raw,
    ...given,
    ...(dataRoot !== undefined && { data: { ...(isRecord(raw.data) && raw.data), root: dataRoot } }),
    ...(samplingStrategy !== undefined && {
      sampling: { ...(isRecord(raw.sampling) && raw.sampling), strategy: samplingStrategy },
    }),
  };
}

function inputErrorOf(file: string, error: z.ZodError, lineOf: YamlSource['lineOf']): InputError {
  // An unknown key is said first: it is often the reason why a needed key seems to be missing.
  const unknown = error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown) {
    const key = unknown.keys[0] ?? '';
    const keys = [...unknown.path, key];
    const nearest = nearestKey(configJsonSchema(), unknown.path, key);
    const remedy = nearest ? `Did you mean ${nearest}?` : 'Remove it';
    return new InputError({ file, line: lineOf(keys), field: fieldPath(keys), problem: 'no such key', remedy });
  }
  const { field, problem } = describeFirstIssue(error);
  const line = lineOf(error.issues[0]?.path ?? []);
  const remedy = 'configs/schema.json says what is allowed';
  return new InputError({ file, line, field: field || undefined, problem, remedy }, { cause: error });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
