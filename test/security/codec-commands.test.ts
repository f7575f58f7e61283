/**
 * Every `temporal` command of the pages works with a payload key: with the flag `--codec-endpoint`, and without it, when it
 * sends plain payloads and shows encrypted ones.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeActivities } from '../../bench/support/fake-activities.ts';
import { fakeGeneration, fakePromptActivities, generationPlan } from '../../bench/support/fake-generation.ts';
import type { RoundProgress } from '../../workflows/messages.ts';
import { commandsInBlocks, readPages } from '../docs/pages.ts';
import { gate } from '../helpers/gate.ts';
import { planOn } from '../workflows/histories/scenarios.ts';
import { until } from '../workflows/until.ts';
import { type EncryptedWorld, openEncryptedWorld, withData } from './encrypted-world.ts';

const flag = / --codec-endpoint \S+/;
/** As it is typed where no Temporal CLI is on the PATH. */
const program = 'npx dataengine ';
const inSentences = (text: string) =>
  [...text.matchAll(/`((?:npx dataengine )?temporal [^`]+ --[^`]+)`/g)].map(([, line]) => line as string);
const pages = [...(await readPages()).values()];
/** Each command of the pages, without the flag. The server itself and its deployments have no payloads. */
const documented = new Set(
  [...pages.flatMap(commandsInBlocks), ...pages.flatMap(inSentences)]
    .map((line) => line.replace(program, ''))
    .filter((line) => /^temporal (?!server |worker deployment )/.test(line))
    .map((line) => line.replaceAll(/\s+/g, ' ').replace(flag, '')),
);
const typed = { true: new Set<string>(), false: new Set<string>() };

let world: EncryptedWorld;
beforeAll(async () => {
  world = await openEncryptedWorld();
}, 300_000);
afterAll(() => world?.close());

/** Types a command of the pages; what is filled in stands for what the page can't know. */
async function type(line: string, withCodec: boolean, filled: Record<string, string> = {}): Promise<string> {
  expect([...documented], 'a page has this command').toContain(line);
  typed[`${withCodec}`].add(line);
  const text = Object.entries(filled).reduce((now, [from, to]) => now.replaceAll(from, to), line);
  const words = text.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  const plain = words.slice(1).map((word) => word.replace(/^(['"])(.*)\1$/, '$2'));
  const answer = world.temporal(plain, withCodec);
  if (withCodec || plain[1] !== 'update') return withData(await answer);
  // The update has been carried out by then, as what follows shows.
  await expect(answer).rejects.toThrow('encoding binary/encrypted: payload encoding is not supported');
  return '';
}

const running = async (activities: object, work: () => Promise<void>) =>
  (await world.worker('data-engine', activities)).runUntil(work());

/** What the server keeps of a workflow or a schedule. */
const kept = (kind: 'workflow' | 'schedule', id: string) =>
  world.shown([kind, kind === 'workflow' ? 'show' : 'describe', `--${kind}-id`, id]);

async function expectInput(kind: 'workflow' | 'schedule', id: string, withCodec: boolean): Promise<void> {
  const text = await kept(kind, id);
  if (withCodec) expect(text).not.toContain('.yaml');
  else expect(text).toContain('.yaml');
}

const modes = [
  ['with the codec', true],
  ['without', false],
] as const;

test.each(modes)('a run is started, shown, paused and decided %s', async (_, withCodec) => {
  const approval = { timeoutHours: 1, defaultDecision: 'gate' as const };
  const merging = gate();
  const activities = fakeActivities(planOn('data-engine', { approval }), []);
  const merge: typeof activities.merge = async (reference) => {
    await merging.opened;
    return activities.merge(reference);
  };
  await running({ ...activities, merge }, async () => {
    const start = 'temporal workflow start --type dataEngine --task-queue data-engine';
    await type(`${start} --workflow-id my-run --input '{"config":"configs/demo.yaml","run":"my-run"}'`, withCodec);
    await expectInput('workflow', 'my-run', withCodec);
    const round = world.client.workflow.getHandle('my-run/round-1');
    const tuesday = await world.client.workflow.start('dataEngine', {
      taskQueue: 'data-engine',
      workflowId: 'tuesday',
      args: [{ config: 'configs/demo.yaml', rounds: 0 }],
    });
    const pause = `temporal workflow update execute --workflow-id tuesday --name pause --input '{"reason":"the GPU is needed"}'`;
    await type(pause, withCodec);
    expect(await tuesday.query('progress')).toMatchObject({ paused: { reason: 'the GPU is needed' } });
    expect((await kept('workflow', 'tuesday')).includes('the GPU')).toBe(!withCodec);
    await tuesday.terminate();
    merging.open();
    await until(async () => {
      const progress = await round.query<RoundProgress>('progress').catch(() => undefined);
      return progress?.steps.at(-1)?.state === 'waiting';
    });
    const rounds = await type('temporal workflow query --workflow-id my-run --type rounds', withCodec);
    expect(rounds.includes('multipleChoice')).toBe(withCodec);
    const decide = 'temporal workflow update execute --workflow-id my-run/round-1 --name decideRound';
    await type(`${decide} --input '{"decision":"accept"}'`, withCodec);
    await world.client.workflow.getHandle('my-run').result();
    const shown = await type('temporal workflow show --workflow-id my-run --output json', withCodec);
    expect(shown.includes('multipleChoice')).toBe(withCodec);
    await type(`temporal workflow list --query 'DataEngineState = "waiting"'`, withCodec);
  });
});

test.each(modes)('the evaluation of a server is started %s', async (_, withCodec) => {
  const teacher = await world.worker('data-engine-teacher', fakeGeneration(generationPlan));
  await running({}, () =>
    teacher.runUntil(async () => {
      const start = 'temporal workflow start --type dataEngineEndpointEvaluation --task-queue data-engine';
      const input =
        '{"benchmark":"mmbench","file":"data/mmbench_dev_20230712.tsv","endpoint":"http://127.0.0.1:8000/v1","modelName":"my-model"}';
      await type(`${start} --workflow-id my-scores --input '${input}'`, withCodec);
      await world.client.workflow.getHandle('my-scores').result();
      expect((await kept('workflow', 'my-scores')).includes('my-model')).toBe(!withCodec);
    }),
  );
});

test.each(modes)('a run is pruned %s', async (_, withCodec) => {
  await running(fakeActivities(planOn('data-engine'), []), async () => {
    const start = 'temporal workflow start --type dataEnginePrune --task-queue data-engine';
    const input = '{"config":"configs/demo.yaml","run":"nightly","dryRun":true}';
    await type(`${start} --workflow-id prune-nightly --input '${input}'`, withCodec);
    const outcome = await world.client.workflow.getHandle('prune-nightly').result();
    expect(outcome).toMatchObject({ run: 'nightly', dryRun: true });
    await expectInput('workflow', 'prune-nightly', withCodec);
  });
});

test.each(modes)('discovered question types are approved %s', async (_, withCodec) => {
  const plan = planOn('data-engine', { rounds: 0, discovery: { timeoutHours: 1 } });
  await running(fakeActivities(plan, []), async () => {
    const handle = await world.client.workflow.start('dataEngine', {
      taskQueue: 'data-engine',
      workflowId: 'my-run',
      args: [{ config: 'configs/demo.yaml' }],
    });
    const round = world.client.workflow.getHandle('my-run/round-0');
    await until(async () => {
      const progress = await round.query<RoundProgress>('progress').catch(() => undefined);
      return progress?.steps.at(-1)?.state === 'waiting';
    });
    const update = 'temporal workflow update execute --workflow-id my-run/round-0 --name approveTypes';
    await type(`${update} --input '{}'`, withCodec);
    await handle.result();
  });
});

test.each(modes)('a generation is topped up, a schedule created %s', async (_, withCodec) => {
  await running(fakeGeneration({ ...generationPlan, limit: 0.3 }), async () => {
    const queues = { cpu: 'data-engine', teacher: 'data-engine' };
    const handle = await world.client.workflow.start('dataEngineGeneration', {
      taskQueue: 'data-engine',
      workflowId: 'tuesday/round-1/generation',
      args: [{ runDirectory: '/run', round: 1, queues }],
    });
    await until(async () => (await handle.query<{ state: string }>('progress')).state === 'waiting for a top-up');
    const update = 'temporal workflow update execute --workflow-id tuesday/round-1/generation --name topUp';
    await type(`${update} --input '{"amount":50}'`, withCodec);
    await handle.result();
  });
  const create = `temporal schedule create --schedule-id nightly --cron '0 2 * * *' --overlap-policy Skip --catchup-window 1h`;
  const action = '--type dataEngine --task-queue data-engine --workflow-id nightly --input';
  for (const line of [
    `${create} ${action} '{"config":"configs/demo.yaml"}'`,
    `${create} --pause-on-failure ${action} '{"config":"configs/demo.yaml","run":"nightly","more":1}'`,
  ]) {
    await type(line, withCodec);
    await expectInput('schedule', 'nightly', withCodec);
    await world.client.schedule.getHandle('nightly').delete();
  }
});

test.each(modes)('a prompt is optimized %s', async (_, withCodec) => {
  await running(fakePromptActivities('data-engine'), async () => {
    const handle: WorkflowHandle = world.client.workflow.getHandle('better-prompt');
    const waiting = (iteration: number) =>
      until(async () => {
        const progress = await handle.query<{ phase: string; current?: { iteration: number } }>('progress');
        return progress.phase === 'waiting for verdicts' && progress.current?.iteration === iteration;
      });
    await type(
      `temporal workflow start --type dataEnginePromptOptimization --task-queue data-engine --workflow-id better-prompt --input '{"config":"configs/minigpt4-7b.yaml","samples":4}'`,
      withCodec,
    );
    await expectInput('workflow', 'better-prompt', withCodec);
    await waiting(0);
    const progress = await type('temporal workflow query --workflow-id better-prompt --type progress', withCodec);
    expect(progress.includes('samplesFile')).toBe(withCodec);
    const update = 'temporal workflow update execute --workflow-id better-prompt --name';
    const verdict = `{"sample":"1a2b3c4d","verdict":"bad","comment":"asks about something cut off at the edge"}`;
    await type(`${update} verdict --input '${verdict}'`, withCodec, { '1a2b3c4d': 's0' });
    await type(`${update} decide --input '{"action":"revise"}'`, withCodec);
    await waiting(1);
    await type(`${update} decide --input '{"action":"accept"}'`, withCodec);
    await handle.result();
    expect((await kept('workflow', 'better-prompt')).includes('cut off at the edge')).toBe(!withCodec);
  });
});

test('every command of the pages was typed in both ways', () => {
  for (const mode of ['true', 'false'] as const) {
    expect([...documented].filter((line) => !typed[mode].has(line))).toEqual([]);
  }
});
