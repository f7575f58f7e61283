import type { z } from 'zod';

/**
 * Writes a path to a value the way JavaScript would: `finetune.lora.rank`, `[12].correct_choice_idx`,
 * `weights["object counting"]`. The root is the empty string.
 */
export function fieldPath(keys: readonly PropertyKey[]): string {
  return keys
    .map((key, position) => {
      if (typeof key === 'number') return `[${key}]`;
      const name = String(key);
      if (!/^[A-Za-z_$][\w$-]*$/.test(name)) return `[${JSON.stringify(name)}]`;
      return position === 0 ? name : `.${name}`;
    })
    .join('');
}

/** The first thing that a schema found wrong, in words for a person, and where. */
export function describeFirstIssue(error: z.ZodError): { field: string; problem: string } {
  const [first, ...others] = error.issues;
  if (!first) return { field: '', problem: 'does not have the expected shape' };
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  const text = first.message.replace(/^Invalid input: /, '').replace(/\.$/, '');
  return { field: fieldPath(first.path), problem: `${text}${more}` };
}
