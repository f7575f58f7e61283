import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  RetryState,
} from '@temporalio/common';
import { CommanderError, InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { describeFailure, interruptible } from '../../cli/failures.ts';
import { ProcessEnded } from '../../demo/command/child-process.ts';
import { InputError } from '../../src/core/input-error.ts';
import { StepTakenOver } from '../../src/core/manifest.ts';
import { StorageError } from '../../src/core/write-file.ts';
import { OutOfBudget } from '../../src/teacher/spending.ts';
import { TeacherError } from '../../src/teacher/teacher-error.ts';
import { TrainerError } from '../../src/trainer/supervisor/trainer-error.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

function asWorkflowFailure(cause: Error): WorkflowFailedError {
  const activity = new ActivityFailure(
    'Activity task failed',
    'finetune',
    '1',
    RetryState.NON_RETRYABLE_FAILURE,
    'worker',
    cause,
  );
  const child = new ChildWorkflowFailure(
    'default',
    { workflowId: 'a/round-0', runId: 'r' },
    'round',
    RetryState.NON_RETRYABLE_FAILURE,
    activity,
  );
  return new WorkflowFailedError('Workflow execution failed', child, RetryState.NON_RETRYABLE_FAILURE);
}

test('wrong input that a trainer found is one message without a stack too', () => {
  const message = 'adapter_config.json: no such file. Check the path';
  const error = new TrainerError({ kind: 'input', retryable: false, message });
  expect(describeFailure(error)).toEqual({ message, exitCode: 2 });
});

test('a server or worker of ours that ends names its log, without a stack of this program', () => {
  const error = new ProcessEnded({ name: 'CPU worker', logFile: 'runs/a/logs/worker-cpu.log' }, 'was ended by SIGKILL');
  const message = 'the CPU worker was ended by SIGKILL; see runs/a/logs/worker-cpu.log';
  expect(describeFailure(error)).toEqual({ message, exitCode: 1 });
});

test('wrong input is one message without a stack, exit code 2', () => {
  const error = new InputError({
    file: 'demo.yaml',
    line: 3,
    field: 'sead',
    problem: 'no such key',
    remedy: 'Did you mean seed?',
  });
  expect(describeFailure(error)).toEqual({
    message: 'demo.yaml:3: sead: no such key. Did you mean seed?',
    exitCode: 2,
  });
});

test('wrong input that an activity found is reported the same way', () => {
  const failure = asWorkflowFailure(
    ApplicationFailure.nonRetryable('x.jpg: is cut short. Fetch it again', 'InputError'),
  );
  expect(describeFailure(failure)).toEqual({ message: 'x.jpg: is cut short. Fetch it again', exitCode: 2 });
});

test('a used-up budget is reported as wrong input: the user must act', () => {
  const { message } = new OutOfBudget({ limit: 5, spent: 4.99, currency: 'USD' });
  const failure = asWorkflowFailure(ApplicationFailure.nonRetryable(message, 'OutOfBudget'));
  expect(describeFailure(failure)).toEqual({ message, exitCode: 2 });
});

test('a rejected option is reported once', () => {
  const error = new InvalidArgumentError('Give --accept or --reject, not both.');
  expect(describeFailure(error)).toEqual({ message: 'Give --accept or --reject, not both.', exitCode: 2 });
  const toldAlready = new CommanderError(1, 'commander.invalidArgument', 'error: no such option');
  expect(describeFailure(toldAlready)).toEqual({ message: '', exitCode: 2 });
});

test('any other failure of a workflow is reported by its first cause, exit code 1', () => {
  const failure = asWorkflowFailure(ApplicationFailure.nonRetryable('out of memory', 'Trainer:memory'));
  expect(describeFailure(failure)).toEqual({ message: 'Trainer:memory: out of memory', exitCode: 1 });
});

test('a cancelled workflow is reported as cancelled', () => {
  expect(describeFailure(asWorkflowFailure(new CancelledFailure('x'))).message).toBe('The workflow was cancelled.');
});

test('bugs/05-max-tokens: the teacher’s refusal is one message without a stack', () => {
  const error = new TeacherError('The teacher failed: 400 Unsupported parameter', { retryable: false, status: 400 });
  expect(describeFailure(error)).toEqual({ message: error.message, exitCode: 1 });
});

test('a bug shows its stack', () => {
  expect(describeFailure(new Error('oops')).message).toContain('failures.test.ts');
});

test.each(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EROFS', 'ENOSPC', 'ENAMETOOLONG'])(
  'a file that can not be written (%s) is one message without a stack or the system’s words',
  (code) => {
    const cause = Object.assign(new Error(`${code}: said the system`), { code });
    const { message, exitCode } = describeFailure(new StorageError('out/own.yaml', cause));
    expect(message).toMatch(/^out\/own\.yaml: [a-z].*\. [A-Z]/);
    expect(message).not.toMatch(/said the system|\n/);
    expect(exitCode).toBe(1);
  },
);

test('a full disk that is noticed by a write to an open file is one sentence too', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  expect(describeFailure(full)).toEqual({ message: 'The disk is full. Free some space and try again', exitCode: 1 });
});

test('so is what the system refuses elsewhere; an error of this program keeps its stack', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'file'), '');
  const refused = await mkdir(join(folder, 'file', 'logs')).catch((error: unknown) => error);
  expect(describeFailure(refused)).toEqual({
    message: `${join(folder, 'file', 'logs')}: a file is where a folder should be. Choose another folder`,
    exitCode: 1,
  });
  expect(describeFailure(new Error('a fault')).message).toMatch(/a fault\n +at /);
});

test('two commands at the same step', () => {
  const { message, exitCode } = describeFailure(new StepTakenOver('Another attempt at the step x started'));
  expect([message, exitCode]).toEqual(['Another attempt at the step x started. Let one of the two work at a time', 1]);
});

test('work that a person stops says what becomes of it; what fails by itself says that', async () => {
  const interruption = new AbortController();
  const failing = () => Promise.reject(new InputError({ file: 'a.yaml', problem: 'is wrong', remedy: 'Mend it' }));
  await expect(interruptible(interruption.signal, 'It continues', failing)).rejects.toThrow(
    'a.yaml: is wrong. Mend it',
  );
  interruption.abort(new Error('interrupted'));
  const stopped = await interruptible(interruption.signal, 'It continues', failing).catch((error: unknown) => error);
  expect(describeFailure(stopped)).toEqual({ message: 'It continues', exitCode: 130 });
});
