import { ApplicationFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { toActivityFailure } from '../../activities/errors.ts';
import { InputError } from '../../src/core/input-error.ts';
import { OutOfBudget } from '../../src/teacher/spending.ts';
import { TeacherError } from '../../src/teacher/teacher-error.ts';
import { TrainerError } from '../../src/trainer/supervisor/trainer-error.ts';

test('wrong input is never retried, and keeps its message', () => {
  const error = new InputError({ file: 'a.json', field: '[1].choices', problem: 'is empty', remedy: 'Fill it' });
  const failure = toActivityFailure(error);
  expect(failure).toBeInstanceOf(ApplicationFailure);
  expect(failure).toMatchObject({
    type: 'InputError',
    nonRetryable: true,
    message: 'a.json: [1].choices: is empty. Fill it',
  });
});

test('a used-up budget is never retried, and distinguished from other wrong input', () => {
  const failure = toActivityFailure(new OutOfBudget({ limit: 5, spent: 4.99, currency: 'USD' }));
  expect(failure).toMatchObject({
    type: 'OutOfBudget',
    nonRetryable: true,
    message: expect.stringMatching(/budget of 5 USD/),
  });
});

test('wrong input that the trainer found counts as wrong input', () => {
  const error = new TrainerError({ kind: 'input', retryable: true, message: 'x.jpg: cut short' });
  expect(toActivityFailure(error)).toMatchObject({ type: 'InputError', nonRetryable: true });
});

test('a crashed trainer is retried, one that ran out of memory is not', () => {
  expect(toActivityFailure(new TrainerError({ kind: 'crashed', retryable: true, message: '' }))).toMatchObject({
    type: 'Trainer:crashed',
    nonRetryable: false,
  });
  expect(toActivityFailure(new TrainerError({ kind: 'memory', retryable: false, message: '' }))).toMatchObject({
    type: 'Trainer:memory',
    nonRetryable: true,
  });
});

test("a teacher's rate limit is retried after the delay that it names", () => {
  const failure = toActivityFailure(
    new TeacherError('slow down', { retryable: true, retryAfterSeconds: 7, status: 429 }),
  );
  expect(failure).toMatchObject({ type: 'TeacherError', nonRetryable: false, nextRetryDelay: 7000 });
});

test('a refused key is not retried', () => {
  expect(toActivityFailure(new TeacherError('no', { retryable: false, status: 401 }))).toMatchObject({
    nonRetryable: true,
  });
});

test('any other error is left to the retry policy', () => {
  const error = new Error('odd');
  expect(toActivityFailure(error)).toBe(error);
});
