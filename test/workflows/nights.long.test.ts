/**
 * The short form of the part `nights` of `npm run chaos`: a run that goes on night after night, with a pretend trainer and a tiny
 * dataset.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkNights } from '../../bench/chaos/checks.ts';
import { isFlat, runNights } from '../../bench/chaos/nights.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { pretendTrainerEntry, writeTinyRun } from '../round/tiny-run.ts';

test('every night leaves the same on disk and server, but for its records', async () => {
  const folder = await temporaryFolder();
  const configFile = await writeTinyRun(folder, (config) => ({
    ...config,
    rounds: 1,
    retention: { lastRounds: 2, best: false },
  }));
  const modelBytes = 64 * 1024 * 1024;
  const nights = await runNights({
    folder: join(folder, 'stack'),
    ...{ configFile, run: 'nights', seed: 7, trainerEntry: pretendTrainerEntry, nights: 4 },
    trainerEnvironment: { DATAENGINE_PRETEND_MODEL_BYTES: String(modelBytes) },
  });
  for (const { bytes, recordBytes, reportBytes } of nights)
    expect(Math.round((bytes - recordBytes - reportBytes) / modelBytes)).toBe(2);
  const [, second = Number.NaN, ...later] = nights.map(({ events }) => events);
  // News that come together make a task less.
  for (const events of later) expect(Math.abs(events - second)).toBeLessThan(0.05 * second);
  // The first one has two rounds, and the table of rounds is cut at ten.
  expect(nights.at(-1)?.historyBytes).toBeLessThan(1.1 * (nights[1]?.historyBytes ?? 0));
  expect(checkNights(nights).figures).toMatchObject({ nights: 4, diskFlat: true });
}, 1_200_000);

test('what grows by more than a hundredth a night is not flat', () => {
  const grown = (share: number) => Array.from({ length: 30 }, (_, night) => 1000 * (1 + share * night));
  expect(isFlat(grown(0))).toBe(true);
  expect(isFlat(grown(0.005))).toBe(true);
  expect(isFlat(grown(0.05))).toBe(false);
  // What has grown and then stopped.
  expect(isFlat(Array.from({ length: 30 }, (_, night) => Math.min(night, 10)))).toBe(true);
  // A model more in some nights.
  expect(isFlat(Array.from({ length: 30 }, (_, night) => (night % 5 === 0 ? 300 : 200)))).toBe(true);
});
