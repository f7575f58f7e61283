/**
 * Fields of a file in someone else's format: none is read past. What stands in a field that is neither read here nor known
 * to change nothing is refused by its name, since other numbers than the model's own would come of it in silence.
 */
import type { z } from 'zod';
import { InputError } from '../../core/input-error.ts';

export interface KnownFields {
  /** Read here: what they say is done, or refused where it is read. */
  read: readonly string[];
  /** Without effect on what is computed here: a reason → the fields. */
  withoutEffect: Readonly<Record<string, readonly string[]>>;
}

/**
 * @param content of the file
 * @throws InputError naming the first field that is not known; one that is null says nothing
 */
export function checkFields(file: string, content: object, known: KnownFields): void {
  const [unknown] = unknownFields(content, [...known.read, ...Object.values(known.withoutEffect).flat()]);
  if (unknown === undefined) return;
  throw new InputError({
    file,
    field: unknown,
    problem: 'is not a field that is known here, so it may change what the model computes',
    remedy: 'Remove it from the file if it changes nothing, or use a model without it',
  });
}

/**
 * The schema, with an issue for every other field that has a value.
 *
 * @param withoutEffect fields that change nothing of what is computed here, whatever they say
 */
export function onlyKnownFields<Schema extends z.ZodObject>(schema: Schema, withoutEffect: readonly string[]): Schema {
  return schema.superRefine((value, context) => {
    for (const field of unknownFields(value, [...Object.keys(schema.shape), ...withoutEffect])) {
      context.addIssue({ code: 'custom', path: [field], message: UNKNOWN_FIELD });
    }
  }) as Schema;
}

/** Of a field that is refused. */
const UNKNOWN_FIELD =
  'is not a field that is known here. Remove it if transformers computes the same without it; otherwise the model is not supported';

/** Fields that have a value and are none of these. Names that start with `_` are notes of `transformers` to itself. */
function unknownFields(value: object, known: readonly string[]): string[] {
  return Object.entries(value)
    .filter(([field, content]) => content !== undefined && content !== null && !field.startsWith('_'))
    .map(([field]) => field)
    .filter((field) => !known.includes(field));
}
