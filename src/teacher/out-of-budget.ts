import { InputError } from '../core/input-error.ts';

/** The next request to the teacher could cost more than the budget has left. Trying again helps only with more money. */
export class OutOfBudget extends InputError {
  constructor({ limit, spent, currency }: { limit: number; spent: number; currency: string }) {
    super({
      file: 'config',
      field: 'teacher.budget.limit',
      problem: `the budget of ${limit} ${currency} is used up: ${spent.toFixed(2)} are spent, and the next request could pass it`,
      remedy: 'Raise it and run this again, which asks only for what is missing',
    });
    this.name = 'OutOfBudget';
  }
}
