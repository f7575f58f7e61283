/** PEFT's `adapter_config.json`: each of its fields is used, known to have no effect here, or refused by name. */
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { readSettings } from '../../core/read-json.ts';
import { problemOfPattern } from '../text/pattern-cost.ts';
import { sizes } from './config-sizes.ts';

const unsupported = 'is not supported';
/** Searches within one another, such as `.*`: a module's path has a hundred characters. */
const mostSearches = 5;
/** An adapter may name each of its modules. */
const mostNames = 10_000;
const names = z.union([z.array(z.string()).max(mostNames), z.string()]);
const positive = z.number().positive();
const index = z.number().int().nonnegative().max(1024);

/** The fields that are used. */
const used = {
  peft_type: z.literal('LORA'),
  r: sizes.rank,
  lora_alpha: positive,
  lora_dropout: z.number().min(0).max(1).default(0),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), sizes.rank).optional(),
  alpha_pattern: z.record(z.string(), positive).optional(),
  target_modules: z.union([z.array(z.string()).min(1).max(mostNames), z.string()]),
  exclude_modules: names.nullish(),
  layers_to_transform: z.union([z.array(index), index]).nullish(),
  layers_pattern: names.nullish(),
  modules_to_save: z.array(z.string().min(1)).max(mostNames).nullish(),
  bias: z.literal('none', { error: unsupported }).default('none'),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
};

/**
 * Fields without effect on what a stored adapter of linear layers computes, with the reason. Tested by changing one field at
 * a time in PEFT (`test/fixtures/make-adapter-fields-fixture.py`).
 */
export const fieldsWithoutEffect = {
  task_type: 'chooses a class of PEFT',
  auto_mapping: 'chooses a class of PEFT',
  peft_version: 'of the writer',
  base_model_name_or_path: 'where the writer found the base model',
  revision: 'of the base model, where the writer found it',
  inference_mode: 'whether its tensors are trainable',
  fan_in_fan_out: 'PEFT turns it off for linear layers',
  megatron_core: "read for Megatron's layers only",
  loftq_config: 'read for init_lora_weights: loftq, which is refused',
  eva_config: 'read when an adapter is created',
  corda_config: 'read for init_lora_weights: corda, which is refused',
  lora_ga_config: 'read for init_lora_weights: lora_ga, which is refused',
  qalora_group_size: 'read with use_qalora, which is refused',
  ensure_weight_tying: 'about embeddings that are saved whole or have trainable tokens, which are refused',
};

/**
 * Ways of creating an adapter that leave the base model as it is. The others (`pissa`, `olora`, `corda`, `lora_ga`, `loftq`)
 * take the initial factors out of the base weights: base + adapter is another sum then.
 */
const initsThatKeepTheBase: readonly unknown[] = [
  true,
  false,
  null,
  undefined,
  'gaussian',
  'eva',
  'orthogonal',
  'mica',
];

/** The fields, `r` and `lora_alpha` and such; others are kept. */
const adapterConfigSchema = z.looseObject(used);

export type AdapterConfig = z.output<typeof adapterConfigSchema>;

/** An empty object is a setting with all its defaults: `kasa_config: {}` is on. */
const isOff = (value: unknown) =>
  value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0);

/**
 * Reads the settings of a plain LoRA adapter. Any field that is neither used nor without effect must be off: `null`, `false`
 * or an empty list, which is how PEFT writes a setting that an adapter does not use.
 *
 * @throws InputError naming the file and the field that is missing or not supported
 */
export async function readAdapterConfig(file: string): Promise<AdapterConfig> {
  const config = await readSettings(file, adapterConfigSchema);
  const refuse = (field: string, problem: string, remedy: string) => new InputError({ file, field, problem, remedy });
  const plain = 'Use an adapter of plain LoRA, or merge this one into its model with PEFT';
  for (const [field, value] of Object.entries(config)) {
    if (Object.hasOwn(used, field) || Object.hasOwn(fieldsWithoutEffect, field) || isOff(value)) continue;
    throw refuse(field, unsupported, plain);
  }
  const ofLanguage = config.modules_to_save?.find((name) =>
    /(^|\.)(language_model|lm_head|embed_tokens|layers)($|\.)/.test(name),
  );
  if (ofLanguage !== undefined) {
    const problem = `saves '${ofLanguage}' whole, which is of the language model`;
    throw refuse('modules_to_save', problem, 'Merge this adapter into its model with PEFT');
  }
  const {
    init_lora_weights: init,
    target_modules: targets,
    layers_to_transform: layers,
    layers_pattern: pattern,
  } = config;
  if (typeof targets === 'string' && !isOff(layers)) {
    throw refuse(
      'layers_to_transform',
      'is read with a list of target_modules only',
      'Name the layers in target_modules',
    );
  }
  if (isOff(layers) && pattern && pattern.length > 0) {
    throw refuse('layers_pattern', 'needs layers_to_transform', 'Give both or neither');
  }
  if (!initsThatKeepTheBase.includes(init)) {
    const remedy = `${plain}, or save it again with path_initial_model_for_weight_conversion`;
    throw refuse(
      'init_lora_weights',
      `'${init}' changes the base model's weights, which the adapter's file does not hold`,
      remedy,
    );
  }
  return config;
}

/** Whether a module is one of those that PEFT saves whole, or lies within one: their names are ends of paths. */
export function isSavedWhole(
  { modules_to_save: saved }: Pick<AdapterConfig, 'modules_to_save'>,
  module: string,
): boolean {
  const path = module.split('.');
  const within = path.map((_, index) => path.slice(0, index + 1).join('.'));
  return (saved ?? []).some((name) => within.some((one) => one === name || one.endsWith(`.${name}`)));
}

/** What PEFT adapts a module with: undefined where the config leaves the module out. */
export type ModuleSettings = { rank: number; alpha: number; scaling: number } | { leftOutBy: keyof typeof used };

/**
 * Prepares the look-up of a module's settings.
 *
 * @returns for a module's path in PEFT its rank, its alpha and `alpha / rank` (rank-stabilized, arXiv 2312.03732: by the
 *   rank's square root), or the field that leaves the module out, as PEFT ignores tensors of such modules
 * @throws InputError for a pattern that is not a regular expression here
 */
export function moduleSettings(config: AdapterConfig, file: string): (module: string) => ModuleSettings {
  const expression = (field: string, pattern: string, around: (pattern: string) => string) =>
    pythonExpression(file, field, around(pattern), pattern);
  const whole = (field: string, pattern: string) => expression(field, pattern, (text) => `^(?:${text})$`);
  const byPattern = (field: 'rank_pattern' | 'alpha_pattern') => {
    // PEFT's `get_pattern_key`: the first key that, as a regular expression, is the end of the module's path.
    const entries = Object.entries(config[field] ?? {}).map(
      ([key, value]) => [expression(field, key, (text) => `^(.*\\.)?(${text})$`), value] as const,
    );
    return (module: string) => entries.find(([pattern]) => pattern.test(module))?.[1];
  };
  const named = (field: 'target_modules' | 'exclude_modules') => {
    const given = config[field] ?? [];
    if (typeof given !== 'string') {
      return (module: string) => given.some((name) => module === name || module.endsWith(`.${name}`));
    }
    if (field === 'target_modules' && given.toLowerCase() === 'all-linear') return () => true;
    const pattern = given === '' ? undefined : whole(field, given);
    return (module: string) => pattern?.test(module) ?? false;
  };
  const [isTarget, isExcluded] = [named('target_modules'), named('exclude_modules')];
  const isOfLayer = layerTest(config, (pattern) =>
    expression('layers_pattern', pattern, (text) => `^(?:(?:^|.*?\\.)${text}\\.(?<index>\\d+)\\.)`),
  );
  const [rankOf, alphaOf] = [byPattern('rank_pattern'), byPattern('alpha_pattern')];
  return (module) => {
    if (isExcluded(module)) return { leftOutBy: 'exclude_modules' };
    if (!isTarget(module)) return { leftOutBy: 'target_modules' };
    if (!isOfLayer(module)) return { leftOutBy: 'layers_to_transform' };
    const rank = rankOf(module) ?? config.r;
    const alpha = alphaOf(module) ?? config.lora_alpha;
    return { rank, alpha, scaling: alpha / (config.use_rslora ? Math.sqrt(rank) : rank) };
  };
}

/** PEFT reads `layers_to_transform` with a list of names only: the first number in a module's path is its layer. */
function layerTest(config: AdapterConfig, expression: (pattern: string) => RegExp): (module: string) => boolean {
  const wanted = [config.layers_to_transform ?? []].flat();
  if (wanted.length === 0 || typeof config.target_modules === 'string') return () => true;
  const given = [config.layers_pattern ?? []].flat().filter((pattern) => pattern !== '');
  const patterns = given.length > 0 ? given.map(expression) : [/^.*?\.[^.]*\.(?<index>\d+)\./];
  return (module) => {
    if (config.target_modules.includes(module)) return true;
    const found = patterns.map((pattern) => pattern.exec(module)?.groups?.index).find((layer) => layer !== undefined);
    return found !== undefined && wanted.includes(Number(found));
  };
}

/** With `u` an escape that JavaScript does not know, such as Python's `\Z`, is an error and not a letter. */
function pythonExpression(file: string, field: string, text: string, pattern: string): RegExp {
  let expression: RegExp;
  try {
    expression = new RegExp(text.replaceAll('(?P<', '(?<'), 'u');
  } catch {
    const problem = `'${pattern}' is no regular expression that JavaScript and Python read alike`;
    throw new InputError({ file, field, problem, remedy: 'Write it without extensions of Python' });
  }
  const costs = problemOfPattern(text, mostSearches);
  if (costs === undefined) return expression;
  throw new InputError({ file, field, problem: `'${pattern}' ${costs}`, remedy: 'Name the modules in a list' });
}
