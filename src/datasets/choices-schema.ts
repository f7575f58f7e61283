import { z } from 'zod';

/** Four choices, as the prompt's letters (A) to (D) need. */
export const choicesSchema = z.tuple([z.string(), z.string(), z.string(), z.string()]);

/** Reports a correct choice that is none of the choices; zod calls it for records that are otherwise right. */
export function checkCorrectChoice(
  record: { choices: readonly string[]; correct_choice_idx: number },
  context: z.RefinementCtx,
): void {
  if (record.correct_choice_idx >= 0 && record.correct_choice_idx < record.choices.length) return;
  context.addIssue({
    code: 'custom',
    path: ['correct_choice_idx'],
    message: `is ${record.correct_choice_idx}, but the choices are 0 to ${record.choices.length - 1}`,
  });
}
