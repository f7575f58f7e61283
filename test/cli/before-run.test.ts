/** What a run costs is said, and agreed to, before it starts; what is wrong is said before anything is started. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { cpuTasks } from '../../activities/cpu-tasks.ts';
import { prepareRun } from '../../activities/prepare-run.ts';
import { confirmation } from '../../cli/before-run.ts';
import { estimateRun, requireBudget } from '../../src/round/paid-teacher.ts';
import { extensions } from '../../workers/extensions.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from '../round/tiny-run.ts';
import { faultyServer } from '../teacher/faulty-server.ts';

const launcher = fileURLToPath(new URL('../../bin/dataengine.mjs', import.meta.url));

function dataengine(...input: string[]): Promise<{ code: number; output: string; errors: string }> {
  const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:9', SOME_KEY: 'a key' };
  return new Promise((resolve) => {
    execFile(process.execPath, [launcher, ...input], { env }, (error, output, errors) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output, errors });
    });
  });
}

const paidRun = async (teacher: Record<string, unknown> = {}) =>
  writeTinyRun(await temporaryFolder(), (config) => ({
    ...config,
    teacher: { ...config.teacher, provider: 'openai', model: 'gpt-4o', apiKeyVariable: 'SOME_KEY', ...teacher },
  }));

test('a run whose teacher costs money needs a budget, or the word that it has none', async () => {
  const message = 'teacher.budget: is missing, and gpt-4o costs money';
  const refused = await dataengine('run', '--config', await paidRun());
  expect(refused.errors).toContain(message);
  expect(refused.code).toBe(2);
  await expect(requireBudget(await tinyContext(await paidRun()))).rejects.toThrow(message);
  // The run's first step on a worker, for a workflow that nobody's command started.
  const host = { extensions, settings: undefined, signal: new AbortController().signal, onProgress: () => undefined };
  await expect(prepareRun({ config: await paidRun(), workflowId: 'nightly' }, host as never)).rejects.toThrow(message);
  for (const free of [
    { budget: 'none' },
    { budget: { limit: 3 } },
    { provider: 'local' },
    { baseUrl: 'http://a/v1', model: 'own' },
  ])
    await requireBudget(await tinyContext(await paidRun(free)));
}, 60_000);

test('without a server nobody is asked about a price; what could not be checked is said', async () => {
  const { code, errors } = await dataengine('run', '--config', await paidRun({ budget: 'none' }));
  expect(errors).toContain('No Temporal server can be reached');
  expect(errors).toContain(
    "Checked by the run's first step, not here: whether this version can continue the run; space on the disk; the teacher’s key",
  );
  expect(errors).not.toContain('USD');
  expect(code).toBe(1);
}, 60_000);

test('a teacher that is free has no price', async () => {
  expect(await estimateRun(await tinyContext(await writeTinyRun(await temporaryFolder())))).toBeUndefined();
  const unknown = await estimateRun(await tinyContext(await paidRun({ model: 'new-model' })));
  expect(unknown).toEqual({ requests: 12, limit: undefined });
});

test('a demo of another config, a prompt’s optimization and steps that ask the teacher by hand say their price too', async () => {
  const { baseUrl } = await faultyServer(() => ({ status: 500, body: {} }));
  const config = await paidRun({ budget: 'none', baseUrl });
  for (const [words, price] of [
    [
      ['demo', '--config', config],
      /gpt-4o: 12 requests, about \d+\.\d\d USD, \d+\.\d\d at most in 2 rounds; no budget\n/,
    ],
    [['prompt', 'start', '--config', config], /gpt-4o: 10 requests, about .* at most for each version of the prompt\n/],
    [['question-types', '--config', config], /gpt-4o: 1 request, about \d+\.\d\d USD/],
  ] as const) {
    const { code, errors } = await dataengine(...words);
    expect(errors).toMatch(price);
    expect(errors).toContain('--yes: is missing. Give it, to agree to the price above');
    expect(code, words[0]).toBe(2);
  }
  // The optimization that nobody's command has started.
  const host = { extensions, settings: undefined, signal: new AbortController().signal, onProgress: () => undefined };
  const input = { config: await paidRun({ baseUrl }), workflowId: 'better-prompt' };
  await expect(cpuTasks.preparePromptOptimization(input, host as never)).rejects.toThrow('teacher.budget: is missing');
}, 120_000);

test('a command asks once; the price of what follows is shown', async () => {
  const written: string[] = [];
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  onTestFinished(() => write.mockRestore());
  const { config } = await tinyContext(await paidRun());
  let cleared = 0;
  const confirm = confirmation(config, { yes: true }, () => {
    cleared += 1;
  });
  for (const requests of [2, 1]) await confirm({ requests, cost: { likely: 0.5, most: 1, currency: 'USD' } });
  expect(written).toEqual([
    'gpt-4o: 2 requests, about 0.50 USD, 1.00 at most\n',
    'gpt-4o: 1 request, about 0.50 USD, 1.00 at most\n',
  ]);
  expect(cleared).toBe(2);
});
