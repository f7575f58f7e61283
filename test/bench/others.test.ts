import { expect, test } from 'vitest';
import { busyTicks, ownTicks, shareOfOthers, watchOthers } from '../../bench/support/others.ts';

test('all processors are busy with what is neither idle nor waits for a disk', () => {
  const stat = 'cpu  100 20 30 4000 500 6 7 8 9 10\ncpu0 50 10 15 2000 250 3 3 4 0 0\nintr 1\n';
  expect(busyTicks(stat)).toBe(100 + 20 + 30 + 6 + 7 + 8);
});

test("a process's own time has that of the programs it started, whatever its name is", () => {
  const fields = ['S', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '100', '20', '3000', '400', '20', '0'];
  expect(ownTicks(`42 (a ) b) ${fields.join(' ')}`)).toBe(3520);
});

test('others are what is left, and more than a tenth of all processors is too much', () => {
  const before = { busy: 1000, own: 100 };
  expect(shareOfOthers(before, { busy: 3000, own: 1700 }, 10, 4)).toEqual({ share: 0.1, idle: true });
  expect(shareOfOthers(before, { busy: 3001, own: 1700 }, 10, 4).idle).toBe(false);
});

test.skipIf(process.platform !== 'linux')('this machine reports it', () => {
  const { share } = watchOthers()() as { share: number };
  expect(share).toBeGreaterThanOrEqual(0);
});
