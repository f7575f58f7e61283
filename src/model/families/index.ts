import { z } from 'zod';
import type { Family, FamilyDefinition } from './family.ts';
import { llava } from './llava/index.ts';
import { miniGpt4 } from './minigpt4/index.ts';

export { type Family, imageEmbeddings, promptFormWith } from './family.ts';

/** The families that are implemented here, one a folder. A new one needs its folder and a line in this list. */
export const families = [
  miniGpt4, //
  llava,
] as const;

type ConfigSchema = (typeof families)[number]['configSchema'];

/** `config.json` of a model of any family; `model_type` says which. */
export const modelConfigSchema = z.discriminatedUnion(
  'model_type',
  families.map(({ configSchema }) => configSchema) as unknown as [ConfigSchema, ...ConfigSchema[]],
  {
    error: ({ code }) =>
      code === 'invalid_union' ? `must be ${known(families)}; other models need trainer: torchrun` : undefined,
  },
);

const known = (some: readonly FamilyDefinition[]) =>
  some.map(({ modelType, title }) => `'${modelType}' (${title})`).join(' or ');

/** A model's `config.json`, defaults filled in. */
export type ModelConfig = z.output<ConfigSchema>;

/** The family of a model, by `model_type` of its `config.json`. */
export function familyOf(config: ModelConfig): Family {
  const definition: FamilyDefinition | undefined = families.find(({ modelType }) => modelType === config.model_type);
  if (definition === undefined) throw new Error(`no family has the model_type ${config.model_type}`);
  return definition.familyOf(config as never);
}
