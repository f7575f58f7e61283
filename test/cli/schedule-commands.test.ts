/**
 * `dataengine schedule` against a real server.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from '../workflows/environment.ts';
import { planOn } from '../workflows/histories/scenarios.ts';
import { until } from '../workflows/until.ts';
import { dataengine } from './in-this-process.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

interface Facts {
  input: object;
  timeZone?: string;
  paused: boolean;
  note?: string;
  running: string[];
  recent: { at: string; workflow: string }[];
  next: string[];
}

const schedule = (...input: string[]) => dataengine(environment.temporal.address, 'schedule', ...input);
const factsOf = async (id: string): Promise<Facts> => JSON.parse(await schedule('describe', id, '--json'));

async function configOn(queue: string): Promise<string> {
  return writeTinyRun(await temporaryFolder(), (tiny) => ({
    ...tiny,
    run: undefined,
    temporal: { taskQueues: { cpu: queue, gpu: queue } },
  }));
}

test('a schedule is created, described, changed, paused, resumed and deleted', async () => {
  const config = await configOn('idle');
  const made = await schedule('create', 'weekly', '--config', config, '--cron', '30 1 * * 0', '--more', '2');
  expect(made).toContain(`Schedule  weekly\nInput     ${JSON.stringify({ config, run: 'weekly', more: 2 })}`);
  expect(made).toContain('overlap SKIP, catch-up window 3600 s, pauses after a failure');
  expect(made).toMatch(/Next {6}\d{4}-\d\d-\d\dT01:30:00\.000Z/);
  await expect(schedule('create', 'weekly', '--config', config)).rejects.toThrow(/already/i);

  await schedule('update', 'weekly', '--config', config, '--cron', '0 4 * * *', '--time-zone', 'Asia/Tokyo');
  const changed = await factsOf('weekly');
  expect(changed).toMatchObject({ input: { config, run: 'weekly', more: 1 }, timeZone: 'Asia/Tokyo', paused: false });
  expect(changed.next.every((at) => at.endsWith('T19:00:00.000Z'))).toBe(true);

  expect(await schedule('pause', 'weekly', '--reason', 'new GPUs')).toBe('weekly: paused\n');
  expect(await factsOf('weekly')).toMatchObject({ paused: true, note: 'new GPUs' });
  expect(await schedule('describe', 'weekly')).toContain('Schedule  weekly, paused (new GPUs)');
  expect(await schedule('resume', 'weekly')).toBe('weekly: resumed\n');
  expect(await factsOf('weekly')).toMatchObject({ paused: false });

  expect(await schedule('delete', 'weekly')).toBe('weekly: deleted\n');
  await expect(schedule('describe', 'weekly')).rejects.toMatchObject({ name: 'ScheduleNotFoundError' });
});

test('a schedule is triggered, but not while its run is under way', async () => {
  await schedule('create', 'busy', '--config', await configOn('nobody'));
  expect(await schedule('trigger', 'busy')).toBe('busy: triggered\n');
  await until(async () => (await factsOf('busy')).running.length === 1);
  const [running] = (await factsOf('busy')).running;
  const handle = environment.temporal.client.workflow.getHandle(running ?? '');
  expect((await handle.describe()).type).toBe('dataEngine');

  await schedule('trigger', 'busy');
  const skipped = async () => (await environment.temporal.client.schedule.getHandle('busy').describe()).info;
  await until(async () => (await skipped()).numActionsSkippedOverlap === 1);
  expect((await factsOf('busy')).running).toEqual([running]);
  await schedule('delete', 'busy');
  expect((await handle.describe()).status.name).toBe('RUNNING');
  await handle.terminate();
});

test('missed times are run, one after another', async () => {
  await schedule('create', 'missed', '--config', await configOn('missed'));
  const calls: string[] = [];
  const worker = await createWorker(environment, 'missed', fakeActivities(planOn('missed', { rounds: 0 }), calls));
  await worker.runUntil(async () => {
    const times = ['--from', '2026-03-01T00:00:00Z', '--to', '2026-03-04T00:00:00Z'];
    expect(await schedule('backfill', 'missed', ...times)).toContain('2026-03-01T00:00:00.000Z to 2026-03-04');
    await until(async () => {
      const { recent, running } = await factsOf('missed');
      return recent.length === 3 && running.length === 0;
    });
  });
  const { recent } = await factsOf('missed');
  expect(recent.map(({ at }) => at).sort()).toEqual(['01', '02', '03'].map((day) => `2026-03-${day}T02:00:00.000Z`));
  // Each night does all of its work before the next starts.
  expect(calls.filter((call) => /^(?:prepareRun|report)/.test(call))).toEqual(
    Array.from({ length: 3 }, () => ['prepareRun', 'report 0']).flat(),
  );
  await schedule('delete', 'missed');
});

test('a wrong time is refused before a request to the server', async () => {
  await expect(schedule('backfill', 'missed', '--from', 'monday', '--to', '2026-03-04')).rejects.toThrow(
    /Give a time such as/,
  );
});
