/**
 * Interactive Prompt Optimization with its real activities, a real server and the local teacher.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporalExecutable } from '../../demo/command/temporal-server.ts';
import { readJsonLines } from '../../src/core/read-json.ts';
import { promptSampleSchema } from '../../src/generation/prompt-optimization/prompt-samples.ts';
import { promptFile } from '../../src/round/prompt-file.ts';
import { readPromptTemplate } from '../../src/teacher/prompt-template.ts';
import type { PromptOptimizationInput } from '../../workflows/inputs.ts';
import type { PromptOptimizationResult, PromptProgress } from '../../workflows/prompt-messages.ts';
import type { dataEnginePromptOptimization } from '../../workflows/prompt-optimization.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyConfig, tinyContext, writeTinyRun } from '../round/tiny-run.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { cpuAndTeacherActivities } from './worker-activities.ts';

const run = promisify(execFile);
let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

type Handle = WorkflowHandle<typeof dataEnginePromptOptimization>;
const progressOf = (handle: Handle) => handle.query<PromptProgress>('progress');

/** Waits until the workflow waits for a person to look at that iteration. */
async function waiting(handle: Handle, iteration: number): Promise<PromptProgress> {
  for (;;) {
    const progress = await progressOf(handle);
    if (progress.phase === 'waiting for verdicts' && progress.current?.iteration === iteration) return progress;
    await sleep(100);
  }
}

/** A workflow on a tiny dataset, with a worker up while `look` does what a person would. */
async function optimize(
  workflowId: string,
  look: (handle: Handle, folder: string) => Promise<void>,
  input: Partial<PromptOptimizationInput> = {},
  teacher: Record<string, unknown> = {},
): Promise<{ folder: string; handle: Handle; result: PromptOptimizationResult }> {
  const folder = await temporaryFolder();
  // The accepted version must not land in this project.
  const prompt = join(folder, 'prompts', 'generate-v1.md');
  const original = tinyConfig(folder).teacher.prompt;

  await mkdir(join(folder, 'prompts'));
  await copyFile(original, prompt);
  const config = await writeTinyRun(folder, (tiny) => ({
    ...tiny,
    teacher: { ...tiny.teacher, mistakeRate: 0, prompt, ...teacher },
    temporal: { ...tiny.temporal, taskQueues: { teacher: 'data-engine' } },
  }));
  const worker = await createWorker(environment, 'data-engine', cpuAndTeacherActivities());
  return worker.runUntil(async () => {
    const handle: Handle = await environment.temporal.client.workflow.start('dataEnginePromptOptimization', {
      taskQueue: 'data-engine',
      workflowId,
      args: [{ config, samples: 3, ...input }],
    });
    await look(handle, folder);
    return { folder, handle, result: await handle.result() };
  });
}

const complaint = 'ask only about things that are whole in the image';

describe('a person and the teacher', () => {
  test('revise a prompt over two iterations until it is accepted as a version', async () => {
    const { folder, result, handle } = await optimize('better prompt', async (handle) => {
      const first = await waiting(handle, 0);
      const [one, two] = first.current?.samples ?? [];
      expect(first.current?.samples.map(({ images }) => images)).toEqual(['same', 'same', 'same']);
      const judge = (sample = '', verdict: string, comment?: string) =>
        handle.executeUpdate('verdict', { args: [{ sample, verdict, comment }] });
      expect(await judge(one?.id, 'bad', complaint)).toEqual({ left: 2 });
      expect(await judge(two?.id, 'bad', 'changed my mind')).toEqual({ left: 1 });
      expect(await judge(two?.id, 'good')).toEqual({ left: 1 });
      await handle.executeUpdate('decide', { args: [{ action: 'revise' }] });

      const second = await waiting(handle, 1);
      expect(second).toMatchObject({ verdicts: [], history: [{ iteration: 0, good: 1, bad: 1 }] });
      expect(second.diff).toContain(`+13. Ask only about things that are whole in the image.`);
      expect(second.current?.samples.map(({ images }) => images)).toEqual([
        ...['same', 'same', 'same'],
        ...['fresh', 'fresh', 'fresh'],
      ]);
      const images = async ({ current }: PromptProgress) =>
        (await readJsonLines(current?.samplesFile ?? '', promptSampleSchema)).map(({ image_id }) => image_id);
      const before = await images(first);
      const after = await images(second);
      expect(after.filter((id) => before.includes(id)).sort()).toEqual([...before].sort());
      expect(new Set(after).size).toBe(6);
      await handle.executeUpdate('decide', { args: [{ action: 'revise', comment: 'be brief' }] });

      const third = await waiting(handle, 2);
      expect(third.diff).toContain('+14. Be brief.');
      await handle.executeUpdate('decide', { args: [{ action: 'accept' }] });
    });
    expect(result).toMatchObject({ iterations: 3, accepted: { version: 'generate-v2' } });
    expect((await readdir(join(folder, 'prompts'))).sort()).toEqual(['generate-v1.md', 'generate-v2.md']);
    const accepted = await readPromptTemplate(join(folder, 'prompts', 'generate-v2.md'));
    expect(accepted.version).toBe('generate-v2');
    expect(accepted.user).toContain('13. Ask only about things that are whole in the image.\n14. Be brief.\n');
    const kept = await readdir(join(result.directory, 'verdicts'));
    expect(kept.sort()).toEqual(['iteration-0.json', 'iteration-1.json']);
    const history = await handle.fetchHistory();
    await Worker.runReplayHistory({ workflowBundle: environment.workflowBundle }, history, 'better prompt');
    for (const event of history.events ?? []) {
      expect(JSON.stringify(event).length).toBeLessThan(30_000);
    }
  }, 60_000);

  test('need no more than the temporal command', async () => {
    const { result } = await optimize('by command', async (handle) => {
      const { current } = await waiting(handle, 0);
      const temporal = async (...words: string[]) =>
        run(await temporalExecutable(), [
          ...words,
          '--workflow-id',
          'by command',
          '--address',
          environment.temporal.address,
        ]);
      const update = (name: string, value: object) =>
        temporal('workflow', 'update', 'execute', '--name', name, '--input', JSON.stringify(value));
      const { stdout } = await temporal('workflow', 'query', '--type', 'progress');
      expect(stdout).toContain('waiting for verdicts');
      await update('verdict', { sample: current?.samples[0]?.id, verdict: 'good' });
      await update('decide', { action: 'stop' });
    });
    expect(result.accepted).toBeUndefined();
  }, 60_000);
});

test('a revision that exceeds the budget leaves the choice to the person', async () => {
  const look = async (handle: Handle) => {
    const { current } = await waiting(handle, 0);
    const verdict = { sample: current?.samples[0]?.id ?? '', verdict: 'bad', comment: complaint };
    await handle.executeUpdate('verdict', { args: [verdict] });
    await handle.executeUpdate('decide', { args: [{ action: 'revise' }] });
    await expect
      .poll(async () => (await progressOf(handle)).problem, { timeout: 20_000 })
      .toMatch(/budget of 0\.2 USD/);
    expect(await progressOf(handle)).toMatchObject({ phase: 'waiting for verdicts', verdicts: [verdict] });
    await handle.executeUpdate('decide', { args: [{ action: 'stop' }] });
  };
  const { result } = await optimize('no money', look, { samples: 1 }, { model: 'gpt-4', budget: { limit: 0.2 } });
  expect(result).toMatchObject({ iterations: 1 });
  expect(result.accepted).toBeUndefined();
});

test('a prompt accepted for a run is used by the next round of the run', async () => {
  const { folder, result } = await optimize(
    'for a run',
    async (handle) => {
      await waiting(handle, 0);
      await handle.executeUpdate('decide', { args: [{ action: 'revise', comment: 'be brief' }] });
      await waiting(handle, 1);
      await handle.executeUpdate('decide', { args: [{ action: 'accept' }] });
    },
    { forRun: 'tiny' },
  );
  const file = join(folder, 'runs', 'tiny', 'prompts', 'generate-v2.md');
  expect(result.accepted).toEqual({ version: 'generate-v2', file, fromRound: 1 });
  const { config, run: place } = await tinyContext(join(folder, 'tiny.yaml'));
  expect(await promptFile(config, place, 1)).toBe(file);
  expect(await readFile(config.teacher.prompt as string, 'utf8')).not.toContain('Be brief');
}, 300_000);

test('wrong updates are refused, with what to do, and change nothing', async () => {
  await optimize('refusals', async (handle) => {
    const { current } = await waiting(handle, 0);
    const sample = current?.samples[0]?.id;
    const refused = async (name: string, value: unknown) =>
      handle.executeUpdate(name, { args: [value] }).then(
        () => 'taken',
        (error: Error) => (error.cause as Error).message,
      );
    expect(await refused('verdict', { sample: 'nothing', verdict: 'good' })).toMatch(/^sample: one of /);
    expect(await refused('verdict', { sample, verdict: 'fine' })).toBe('verdict: good or bad');
    expect(await refused('verdict', { sample, verdict: 'bad' })).toBe('comment: say what is wrong with it');
    expect(await refused('verdict', { sample, verdict: 'bad', comment: 'x'.repeat(501) })).toMatch(/500 characters/);
    expect(await refused('decide', { action: 'revise' })).toMatch(/^nothing to revise/);
    expect(await refused('decide', { action: 'accept' })).toMatch(/^nothing has changed yet/);
    expect(await refused('decide', { action: 'dance' })).toBe('action: revise, accept or stop');
    expect(await progressOf(handle)).toMatchObject({ phase: 'waiting for verdicts', verdicts: [] });
    await handle.executeUpdate('decide', { args: [{ action: 'stop' }] });
  });
}, 300_000);
