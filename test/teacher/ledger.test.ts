import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { appendToLedger, readLedger, type SpendEntry } from '../../src/teacher/ledger.ts';
import { openSpending } from '../../src/teacher/spending.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const program = fileURLToPath(new URL('spending-process.ts', import.meta.url));

function startSpending(runDirectory: string, source: string, limit: number, how: 'hang' | 'until-refused') {
  const child = spawn(process.execPath, ['--import', 'tsx', program, runDirectory, source, String(limit), how], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

const spend = (values: Partial<SpendEntry>): SpendEntry => ({
  kind: 'spend',
  at: '2026-01-01T00:00:00.000Z',
  source: 'round-1/generate/chunk-000000',
  model: 'gpt-4',
  calls: 1,
  failedCalls: 0,
  lostCalls: 0,
  promptTokens: 10,
  completionTokens: 5,
  cost: 1,
  ...values,
});
const topUp = (id: string, amount: number) => ({ kind: 'top_up' as const, at: '2026-01-01T00:00:00.000Z', id, amount });

/** Each call can cost 2 and costs 1. */
const most = { promptTokens: 1, completionTokens: 1 };
const usage = { promptTokens: 1, completionTokens: 0 };
const spending = (runDirectory: string, limit?: number, source = 'round-0/questions/a') =>
  openSpending({ runDirectory, source, model: 'gpt-4', price: { currency: 'USD', input: 1, output: 1 }, limit });

describe('the ledger', () => {
  test('is empty before anything was spent', async () => {
    expect(await readLedger(await temporaryFolder())).toMatchObject({ calls: 0, cost: 0, toppedUp: 0 });
  });

  test('adds up sources; of the entries of one source the latest counts', async () => {
    const run = await temporaryFolder();
    await appendToLedger(run, spend({ cost: 1 }));
    await appendToLedger(run, spend({ at: '2026-01-01T00:00:02.000Z', calls: 3, cost: 3 }));
    await appendToLedger(run, spend({ at: '2026-01-01T00:00:01.000Z', calls: 2, cost: 2 }));
    await appendToLedger(run, spend({ source: 'round-2/generate/chunk-000000', cost: 4 }));
    expect(await readLedger(run)).toMatchObject({ calls: 4, cost: 7 });
  });

  test('counts a top-up that was recorded twice once', async () => {
    const run = await temporaryFolder();
    for (const entry of [topUp('a', 5), topUp('a', 5), topUp('b', 2)]) await appendToLedger(run, entry);
    expect(await readLedger(run)).toMatchObject({ cost: 0, toppedUp: 7 });
  });

  test('is read although a writer was killed within a line, and can be appended to', async () => {
    const run = await temporaryFolder();
    await appendToLedger(run, spend({ cost: 1 }));
    const [file = ''] = await readdir(join(run, 'ledger'));
    await appendFile(join(run, 'ledger', file), '{"kind":"spend","at":"2026-01');
    expect(await readLedger(run)).toMatchObject({ cost: 1 });
    await appendToLedger(run, spend({ source: 'round-1/generate/chunk-000001', cost: 2 }));
    expect(await readLedger(run)).toMatchObject({ cost: 3 });
  });
});

describe('spending call by call', () => {
  test('has the most of a call in the ledger before it is made, and what it cost afterwards', async () => {
    const run = await temporaryFolder();
    const { reserve } = spending(run);
    const [answered, failed, lost] = [await reserve(most), await reserve(most), await reserve(most)];
    expect(await readLedger(run)).toMatchObject({ calls: 3, lostCalls: 3, cost: 6 });
    await answered.answered(usage);
    await failed.failed();
    await lost.lost();
    expect(await readLedger(run)).toMatchObject({ calls: 3, failedCalls: 1, lostCalls: 1, promptTokens: 2, cost: 3 });
  });

  test('refuses a call that could exceed the budget, and says what is spent', async () => {
    const run = await temporaryFolder();
    const { reserve } = spending(run, 3.5);
    for (let call = 0; call < 2; call += 1) await (await reserve(most)).answered(usage);
    await expect(reserve(most)).rejects.toMatchObject({
      name: 'OutOfBudget',
      field: 'teacher.budget.limit',
      problem: expect.stringMatching(/budget of 3\.5 USD .* 2\.00 are spent/),
    });
    expect(await readLedger(run)).toMatchObject({ calls: 2, lostCalls: 0, cost: 2 });
  });

  test('a call that the budget allows only without the open ones waits until they end', async () => {
    const run = await temporaryFolder();
    const { reserve } = spending(run, 3);
    const first = await reserve(most);
    let reserved = false;
    const second = reserve(most).then((reservation) => {
      reserved = true;
      return reservation;
    });
    await sleep(200);
    expect(reserved).toBe(false);
    await first.answered(usage);
    await (await second).answered(usage);
    expect(await readLedger(run)).toMatchObject({ calls: 2, cost: 2 });
    await expect(reserve(most)).rejects.toMatchObject({ name: 'OutOfBudget' });
  });

  test('continues after a top-up', async () => {
    const run = await temporaryFolder();
    const { reserve } = spending(run, 1);
    await expect(reserve(most)).rejects.toMatchObject({ name: 'OutOfBudget' });
    await appendToLedger(run, topUp('a', 1));
    await (await reserve(most)).answered(usage);
    expect(await readLedger(run)).toMatchObject({ cost: 1 });
  });

  test('counts what a killed process had reserved, so that the budget still holds', async () => {
    const run = await temporaryFolder();
    const child = startSpending(run, 'round-0/questions/killed', 3, 'hang');
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await readLedger(run)).toMatchObject({ calls: 1, lostCalls: 1, cost: 2 });
    await expect(spending(run, 3).reserve(most)).rejects.toMatchObject({ name: 'OutOfBudget' });
    await (await spending(run, 4).reserve(most)).answered(usage);
    expect(await readLedger(run)).toMatchObject({ calls: 2, cost: 3 });
  });

  test('never exceeds the budget when two processes spend it at the same time', async () => {
    const run = await temporaryFolder();
    const limit = 40;
    const children = ['a', 'b'].map((name) => startSpending(run, `round-0/questions/${name}`, limit, 'until-refused'));
    const calls = await Promise.all(children.map(async ({ stdout }) => Number(await text(stdout))));
    const { cost, lostCalls } = await readLedger(run);
    expect([calls.reduce((sum, count) => sum + count, 0), lostCalls]).toEqual([cost, 0]);
    expect(cost).toBeLessThanOrEqual(limit);
    // A process stops when even one call does not fit beside what the other has reserved, three calls at most.
    expect(cost).toBeGreaterThan(limit - 2 * 4);
  });
});
