import { expect, onTestFinished, test } from 'vitest';
import { describeFailure } from '../../cli/failures.ts';
import { ask, update, WorkerSilent } from '../../cli/temporal-client.ts';
import { startEnvironment } from '../workflows/environment.ts';

test('a message to a run without a worker does not wait for ever, and says what to start', {
  timeout: 120_000,
}, async () => {
  const { temporal } = await startEnvironment();
  onTestFinished(() => temporal.teardown());
  const { client } = temporal;
  await client.workflow.start('dataEngine', { taskQueue: 'nobody', workflowId: 'alone', args: [{ config: 'x.yaml' }] });

  const failure: unknown = await update(client, 'alone', 'pause', {}, 2000).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkerSilent);
  expect(describeFailure(failure)).toEqual({
    message:
      'alone: no worker has answered in 2 seconds, so it is not known whether this takes effect. ' +
      'Start one (`dataengine worker cpu`), then look with `dataengine watch`',
    exitCode: 1,
  });
  await expect(ask(client, 'alone', 'progress')).rejects.toThrow(
    'alone: no worker answers. Start one: `dataengine worker cpu`',
  );
  await expect(update(client, 'nothing', 'pause')).rejects.toMatchObject({ name: 'WorkflowNotFoundError' });
});
