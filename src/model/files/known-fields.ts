/** Fields of a file in someone else's format: none is read past. */
import { InputError } from '../../core/input-error.ts';

export interface KnownFields {
  /** Read here: what they say is done, or refused where it is read. */
  read: readonly string[];
  /** Without effect on what is computed here: a reason → the fields. */
  withoutEffect: Readonly<Record<string, readonly string[]>>;
}

/**
 * @param content of the file, or of the object that is its field `inside`
 * @throws InputError naming the first field that is not known; one that is null says nothing
 */
export function checkFields(file: string, content: object, known: KnownFields, inside?: string): void {
  const names = new Set([...known.read, ...Object.values(known.withoutEffect).flat()]);
  const unknown = Object.entries(content).find(([name, value]) => value !== null && !names.has(name));
  if (unknown === undefined) return;
  throw new InputError({
    file,
    field: inside === undefined ? unknown[0] : `${inside}.${unknown[0]}`,
    problem: 'is not a field that is known here, so it may change what the model computes',
    remedy: 'Remove it from the file if it changes nothing, or use a model without it',
  });
}
