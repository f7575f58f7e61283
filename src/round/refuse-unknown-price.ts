import type { Config } from '../config/schema.ts';
import { InputError } from '../core/input-error.ts';
import { readPrice } from '../teacher/prices.ts';

/** @throws InputError when a budget is set for a model without a price */
export async function refuseUnknownPrice({ teacher }: Pick<Config, 'teacher'>): Promise<void> {
  if (!teacher.budget || (await readPrice(teacher.prices, teacher.model, teacher.mode))) return;
  throw new InputError({
    file: teacher.prices,
    field: `models.${teacher.model}`,
    problem: 'is missing, and a budget needs the price of the model',
    remedy: 'Add what the model costs per million tokens, or leave teacher.budget out',
  });
}
