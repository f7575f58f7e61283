/** What is said of attempts that come no further, with a clock of its own. */
import { expect, test } from 'vitest';
import { watchStandstill } from '../../activities/standstill.ts';
import { TeacherError } from '../../src/teacher/teacher-error.ts';

const away = new TeacherError('connect ECONNREFUSED', { retryable: true });

/** One attempt; what it says, and whether it is said when it ends. */
async function attempt(
  isSaid: boolean,
  work: (standstill: ReturnType<typeof watchStandstill>, pass: (seconds: number) => void) => void,
  fails = false,
) {
  const said: (string | undefined)[] = [];
  let seconds = 0;
  const standstill = watchStandstill(
    isSaid,
    async (problem) => {
      if (fails) throw new Error('the server is away');
      said.push(problem);
    },
    () => seconds * 1000,
  );
  work(standstill, (passed) => {
    seconds += passed;
  });
  await standstill.told();
  return { said, isSaid: standstill.isSaid() };
}

test('two attempts without progress say nothing, the third says why', async () => {
  expect(await attempt(false, ({ failed }) => failed(away, 1))).toEqual({ said: [], isSaid: false });
  expect(await attempt(false, ({ failed }) => failed(away, 2))).toEqual({ said: [], isSaid: false });
  expect(await attempt(false, ({ failed }) => failed(away, 3))).toEqual({ said: [away.message], isSaid: true });
});

test('a first attempt of two minutes says so too, unless it has come further', async () => {
  const long = (attempts: number) =>
    attempt(false, ({ failed }, pass) => {
      pass(120);
      failed(away, attempts);
    });
  expect(await long(1)).toEqual({ said: [away.message], isSaid: true });
  expect(await long(0)).toEqual({ said: [], isSaid: false });
});

test('what is said is not said again; progress, or a good end, takes it back once', async () => {
  expect(await attempt(true, ({ failed }) => failed(away, 4))).toEqual({ said: [], isSaid: true });
  const moving = await attempt(true, ({ moved }) => {
    moved();
    moved();
  });
  expect(moving).toEqual({ said: [undefined], isSaid: false });
  expect(await attempt(false, ({ moved }) => moved())).toEqual({ said: [], isSaid: false });
});

test('a failure for good is left to the activity, which ends with it', async () => {
  const refused = new TeacherError('refuses the key', { retryable: false });
  expect(await attempt(false, ({ failed }) => failed(refused, 3))).toEqual({ said: [], isSaid: false });
});

test('what could not be said is said by the next attempt', async () => {
  expect(await attempt(false, ({ failed }) => failed(away, 3), true)).toEqual({ said: [], isSaid: false });
  expect(await attempt(true, ({ moved }) => moved(), true)).toEqual({ said: [], isSaid: true });
});
