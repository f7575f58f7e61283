/**
 * The page about all configuration keys, generated from the schema: each key is described where it is defined.
 */
import { z } from 'zod';
import { workerSettingsSchema } from '../core/worker-settings.ts';
import { configJsonSchema } from './schema.ts';

type Schema = z.core.JSONSchema.BaseSchema;

const unlimited = new Set([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 31 - 1, 0]);

/** The page: a heading per section, a row per key with its type, its default and what it means. */
export function configurationPage(): string {
  const properties = Object.entries(configJsonSchema().properties ?? {}).map(
    ([key, schema]) => [key, asSchema(schema)] as const,
  );
  const own = properties.filter(([, schema]) => schema.type !== 'object');
  const sections = properties.filter(([, schema]) => schema.type === 'object');
  return [
    '# Configuration',
    '',
    'Written by `npm run schema` from `src/config/schema.ts`; do not edit. A config is YAML; a wrong or unknown key is an',
    'error that names its line and the nearest known key. `extends` takes another file as the basis. A relative path starts',
    'in the folder of the file that it is written in; prompts, prices, question types and models that come with the program are',
    'found by their path in the project too. Environment',
    'variables stand in it as `$' +
      '{NAME}` or `$' +
      '{NAME:-default}`. Editors complete keys with `configs/schema.json`.',
    '',
    ...table(own.flatMap(([key, schema]) => rowsOf(key, schema))),
    ...sections.flatMap(([key, schema]) => [
      '',
      `## ${key}`,
      '',
      ...(schema.description ? [schema.description, ''] : []),
      ...table(childRows('', schema)),
    ]),
    '',
  ].join('\n');
}

/** The page about the settings of a worker. */
export function workerSettingsPage(): string {
  const schema = z.toJSONSchema(workerSettingsSchema, { io: 'input', target: 'draft-7' });
  return [
    '# Settings of a worker',
    '',
    'Written by `npm run schema` from `src/core/worker-settings.ts`; do not edit. Whoever runs a worker says what it may',
    'touch, in a YAML file that `DATAENGINE_WORKER_SETTINGS` names. No config, record or message can widen it: what is not',
    'listed is refused, and the error names the key. That holds for every path in a config. `dataengine worker settings` prints',
    'what a worker would have that is started in this folder. Relative paths start there.',
    '',
    'Commands that a person types (the steps by hand, `demo`, `estimate`, …) have no such limits: they trust the config that',
    'was named.',
    '',
    ...table(childRows('', asSchema(schema))),
    '',
    'For a config in this folder with its model in `/models` and its data in `/data`, a vLLM server with a key on another host,',
    'and runs in a bucket:',
    '',
    '```yaml',
    'configs: [., configs]',
    'data: [/data]',
    'models: [/models]',
    'stores: [s3://my-bucket/dataengine]',
    'secrets:',
    '  - { variable: OPENAI_API_KEY, hosts: [api.openai.com] }',
    '  - { file: /run/secrets/vllm, hosts: [http://gpu-7:8000] }',
    'webhooks: [SLACK_WEBHOOK]',
    '```',
    '',
    'A GPU worker that may start vLLM for `evaluate.serve: vllm` ([endpoints](endpoints.md#in-rounds)):',
    '',
    '```yaml',
    'serve:',
    '  vllm:',
    '    command: [vllm, serve, "{model}", --host, 127.0.0.1, --port, "{port}"]',
    '```',
    '',
    '`secrets` replaces the defaults. The keys of a bucket are those of the environment, and go to its endpoint alone.',
    '',
  ].join('\n');
}

/** What a schema says about a key. */
export interface Row {
  /** With the groups and lists around it, such as `annotations[].caption`. */
  key: string;
  type: string;
  required: boolean;
  standard: string;
  meaning: string;
}

/** A row for each key of an object's schema. */
export function schemaRows(schema: z.core.JSONSchema.BaseSchema): Row[] {
  return childRows('', schema);
}

function table(rows: Row[]): string[] {
  return [
    '| key | type | default | |',
    '| --- | --- | --- | --- |',
    ...rows.map(({ key, type, standard, meaning }) => `| \`${key}\` | ${type} | ${standard} | ${meaning} |`),
  ];
}

function rowsOf(key: string, schema: Schema, required = false): Row[] {
  const children = childRows(`${key}.`, schema);
  const items = schema.items === undefined ? [] : childRows(`${key}[].`, asSchema(schema.items as Schema));
  const { additionalProperties: values } = schema;
  const named = typeof values === 'object' ? childRows(`${key}.<name>.`, asSchema(values)) : [];
  const own: Row = {
    key,
    type: typeOf(schema),
    required,
    standard: defaultOf(schema),
    meaning: (schema.description ?? '').replaceAll('|', '\\|'),
  };
  // A group without a description needs no row: each of its keys has one.
  return children.length > 0 && own.meaning === '' ? children : [own, ...children, ...items, ...named];
}

function childRows(prefix: string, schema: Schema): Row[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]) =>
    rowsOf(`${prefix}${key}`, asSchema(child), required.has(key)),
  );
}

function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(asSchema(one))).join(' or ');
  if (schema.prefixItems) return `list of ${schema.prefixItems.length} ${typeOf(asSchema(schema.prefixItems[0]))}s`;
  if (schema.type === 'array') return `list of ${typeOf(asSchema(schema.items as Schema))}${countOf(schema)}`;
  if (schema.type === 'object') return 'group';
  return [schema.type === 'string' ? 'text' : schema.type, ...rangeOf(schema)].join(', ');
}

function countOf({ minItems = 0, maxItems }: Schema): string {
  if (maxItems !== undefined) return `, ${minItems} to ${maxItems}`;
  return minItems > 0 ? `, at least ${minItems}` : '';
}

function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string[] {
  const limits: string[] = [];
  if (exclusiveMinimum !== undefined) limits.push(`> ${exclusiveMinimum}`);
  else if (minimum !== undefined && (minimum === 0 || !unlimited.has(minimum))) limits.push(`≥ ${minimum}`);
  if (exclusiveMaximum !== undefined) limits.push(`< ${exclusiveMaximum}`);
  else if (maximum !== undefined && !unlimited.has(maximum)) limits.push(`≤ ${maximum}`);
  return limits;
}

function defaultOf({ default: standard }: Schema): string {
  if (standard === undefined || standard === '') return '';
  if (typeof standard === 'object' && Object.keys(standard as object).length === 0) return '';
  return `\`${typeof standard === 'string' ? standard : JSON.stringify(standard)}\``;
}

function asSchema(schema: unknown): Schema {
  return typeof schema === 'object' && schema !== null ? (schema as Schema) : {};
}
