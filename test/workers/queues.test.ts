/**
 * Which queues each kind of worker polls, as a Temporal server sees it, and the permissions of the files it writes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { expect, onTestFinished, test } from 'vitest';
import { startOwned } from '../../demo/command/child-process.ts';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';
import { projectFile } from '../../src/core/files.ts';
import { workerSettingsVariable } from '../../src/core/worker-settings.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { until } from '../workflows/until.ts';

test('a CPU worker polls the queue for the teacher too, unless that is left to another worker; all have the umask of their settings', async () => {
  const executable = { type: 'existing-path' as const, path: await temporalExecutable() };
  const temporal = await TestWorkflowEnvironment.createLocal({ server: { executable } });
  onTestFinished(() => temporal.teardown());
  const folder = await temporaryFolder();
  const settings = join(folder, 'worker.yaml');
  await writeFile(settings, 'umask: "027"\n');
  const start = async (...words: string[]) => {
    const worker = await startOwned({
      name: words.join(' '),
      program: process.execPath,
      arguments: ['--import', import.meta.resolve('tsx'), projectFile('cli/main.ts'), 'worker', ...words],
      logFile: join(folder, `${words.join(' ')}.log`),
      environment: {
        TEMPORAL_ADDRESS: temporal.address,
        DATAENGINE_EXIT_WITH_PARENT: '1',
        [workerSettingsVariable]: settings,
      },
    });
    onTestFinished(() => worker.stop());
    return worker;
  };
  const polled = async (name: string) => {
    const { client, namespace = 'default' } = temporal;
    const request = { namespace, taskQueue: { name }, taskQueueType: 2 };
    return ((await client.workflowService.describeTaskQueue(request)).pollers ?? []).length > 0;
  };

  await Promise.all([start('cpu', '--task-queue', 'both'), start('cpu', '--task-queue', 'alone', '--no-teacher')]);
  await until(async () => (await polled('both')) && (await polled('both-teacher')) && (await polled('alone')));
  expect(await polled('alone-teacher')).toBe(false);

  const teacher = await start('teacher', '--task-queue', 'alone-teacher');
  await until(() => polled('alone-teacher'));
  if (process.platform === 'linux') {
    expect(await readFile(`/proc/${teacher.pid}/status`, 'utf8')).toMatch(/^Umask:\s+0027$/m);
  }
}, 120_000);
