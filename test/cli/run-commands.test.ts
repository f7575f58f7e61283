/** `dataengine run` on a real server that has no worker, and what a person reads who leaves it. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeFailure } from '../../cli/failures.ts';
import { createProgram } from '../../cli/program.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from '../round/tiny-run.ts';
import { startEnvironment, type WorkflowTestEnvironment } from '../workflows/environment.ts';
import { dataengine } from './in-this-process.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

/** Types `dataengine run` against a server. */
async function typed(change: object, words: readonly string[]) {
  const config = await writeTinyRun(await temporaryFolder(), (tiny) => ({
    ...tiny,
    ...change,
    temporal: { ...tiny.temporal, taskQueues: { cpu: 'nobody', gpu: 'nobody-gpu' } },
  }));
  vi.stubEnv('TEMPORAL_ADDRESS', environment.temporal.address);
  const said: string[] = [];
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((part) => said.push(String(part)) > 0);
  const interruption = new AbortController();
  const ended = createProgram(interruption.signal)
    .parseAsync(['run', '--config', config, ...words], { from: 'user' })
    .then(() => undefined, describeFailure)
    .finally(() => {
      vi.unstubAllEnvs();
      write.mockRestore();
    });
  return { ended, said: () => said.join(''), interrupt: () => interruption.abort(new Error('interrupted')) };
}

test('without a worker it starts, says what to start, and Ctrl-C leaves the run as it is', async () => {
  const { ended, said, interrupt } = await typed({}, ['--workflow-id', 'left']);
  await expect.poll(said, { timeout: 60_000 }).toContain('No worker polls the queue nobody. Start one: dataengine');
  expect(said()).toMatch(/^Workflow left$/m);
  interrupt();
  expect(await ended).toEqual({
    message: 'left continues: `dataengine watch left` shows it, `dataengine cancel left` ends it',
    exitCode: 130,
  });
  const { status } = await environment.temporal.client.workflow.getHandle('left').describe();
  expect(status.name).toBe('RUNNING');
}, 120_000);

test('a run that has ended is not canceled any more, and that is said', async () => {
  const { client, address } = environment.temporal;
  const run = await client.workflow.start('dataEngine', {
    taskQueue: 'nobody',
    workflowId: 'ended',
    args: [{ config: 'x.yaml' }],
  });
  expect(await dataengine(address, 'cancel', 'ended')).toMatch(/^ended: cancellation requested/);
  await run.terminate();
  const failure = await dataengine(address, 'cancel', 'ended').catch((error: unknown) => error);
  expect(describeFailure(failure)).toEqual({
    message: 'No running workflow has the id ended. `dataengine temporal workflow list` lists the workflows.',
    exitCode: 2,
  });
}, 60_000);

test('--detach says it too, and returns', async () => {
  const { ended, said } = await typed({}, ['--workflow-id', 'detached', '--detach']);
  expect(await ended).toBeUndefined();
  expect(said()).toContain('No worker polls the queue nobody. Start one: dataengine worker cpu --task-queue nobody');
}, 120_000);

test('the price is said before the run is started, and agreed to with --yes where there is no terminal', async () => {
  const teacher = { provider: 'openai', model: 'gpt-4o', budget: 'none' };
  const asked = await typed({ teacher }, ['--workflow-id', 'paid']);
  expect(await asked.ended).toEqual({
    message: 'command line: --yes: is missing. Give it, to agree to the price above',
    exitCode: 2,
  });
  expect(asked.said()).toMatch(/gpt-4o: 12 requests, about \d+\.\d\d USD, \d+\.\d\d at most in 2 rounds; no budget\n/);
  const run = environment.temporal.client.workflow.getHandle('paid');
  await expect(run.describe()).rejects.toMatchObject({ name: 'WorkflowNotFoundError' });
  const agreed = await typed({ teacher }, ['--workflow-id', 'paid', '--yes', '--detach']);
  expect(await agreed.ended).toBeUndefined();
  expect((await run.describe()).status.name).toBe('RUNNING');
}, 120_000);
