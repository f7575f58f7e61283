/**
 * A process of its own that spends from a ledger, for `ledger.test.ts`:
 * `spending-process.ts <run directory> <source> <limit> <how>`. Each call can cost 2 and costs 1.
 *
 * `until-refused` makes calls, three at once, until the budget is used up; `hang` reserves one call and waits to be
 * killed. It reports on standard output what it did.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { OutOfBudget, openSpending } from '../../src/teacher/spending.ts';

const [runDirectory = '', source = '', limit = '0', how = ''] = process.argv.slice(2);
const price = { currency: 'USD', input: 1, output: 1 };
const most = { promptTokens: 1, completionTokens: 1 };
const spending = openSpending({ runDirectory, source, model: 'gpt-4', price, limit: Number(limit) });

if (how === 'hang') {
  await spending.reserve(most);
  process.stdout.write('reserved\n');
  await sleep(600_000);
}
let calls = 0;
const callUntilRefused = async () => {
  for (;;) {
    try {
      const reservation = await spending.reserve(most);
      await sleep(5);
      await reservation.answered({ promptTokens: 1, completionTokens: 0 });
      calls += 1;
    } catch (error) {
      if (error instanceof OutOfBudget) return;
      throw error;
    }
  }
};
await Promise.all([callUntilRefused(), callUntilRefused(), callUntilRefused()]);
process.stdout.write(`${calls}\n`);
