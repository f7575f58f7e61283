/**
 * Every command of the pages is typed, as it stands there, into a folder like a fresh clone: against a real server, with
 * real workers and the real trainer, on configs made small. Only what the lines can't know beforehand is filled in, such
 * as the id of a sample; what another test runs is listed with it.
 */
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePorts } from '../../src/core/free-ports.ts';
import { mmbenchRows, writeTable } from '../evaluation/benchmarks/official-files.ts';
import { elsewhere } from './elsewhere.ts';
import { commandsInBlocks, readPages } from './pages.ts';
import { type Background, changeConfig, makeSandbox, type Sandbox } from './sandbox.ts';

const documented = new Set([...(await readPages()).values()].flatMap(commandsInBlocks));
const typed = new Set<string>();

let sandbox: Sandbox;
let smallConfig: string;
let client: Client;
let address: string;
let serverPorts: [number, number];

beforeAll(async () => {
  serverPorts = (await freePorts(2)) as [number, number];
  address = `127.0.0.1:${serverPorts[0]}`;
  sandbox = await makeSandbox(await mkdtemp(join(tmpdir(), 'dataengine-')), {
    TEMPORAL_ADDRESS: address,
    // Workers have the settings of a newcomer.
    DATAENGINE_WORKER_SETTINGS: '',
    MINIGPT4_7B: 'data/stage1',
  });
  smallConfig = join(sandbox.folder, 'configs', 'demo.yaml');
  await changeConfig(smallConfig, {
    // Pages take one run up where another has left it, whatever its workflow is called.
    run: 'demo',
    data: { scenes: { trainImages: 60, validationImages: 24, testImages: 24 } },
    finetune: { stepsPerEpoch: 4, batchSize: 4, checkpointEverySteps: 2, learningRate: { warmupSteps: 1 } },
    sampling: { requests: 12 },
    // Nothing can be asked before somebody tops it up.
    teacher: { budget: { limit: 0.001 } },
    gate: { policy: 'always' },
  });
}, 60_000);

afterAll(async () => {
  await client?.connection.close();
  await sandbox?.close();
  if (sandbox) await rm(sandbox.folder, { recursive: true, force: true });
}, 60_000);

/** The line as it is to be typed, once it is known to stand on a page. */
function fromPages(line: string, filled: Record<string, string>): string {
  expect([...documented], 'a page has this command').toContain(line);
  typed.add(line);
  return Object.entries(filled).reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replaceAll(from, to);
  }, line);
}

const type = (line: string, filled: Record<string, string> = {}) => sandbox.type(fromPages(line, filled));
const start = (line: string, filled: Record<string, string> = {}) => sandbox.start(fromPages(line, filled));

/** Waits until it is so, unless the command ends before. */
async function whileRunning(command: Background, isSo: () => Promise<unknown> | unknown): Promise<void> {
  let over = false;
  void command.ended.then(() => {
    over = true;
  });
  await vi.waitFor(
    async () => {
      if (over) throw new Error(`ended too early: ${command.line}\n${command.shown()}`);
      await isSo();
    },
    { timeout: 120_000, interval: 200 },
  );
}

const stateOf = async (workflowId: string) => (await client.workflow.getHandle(workflowId).describe()).status.name;
const removeSchedule = () => client.schedule.getHandle('nightly').delete();

test('Official checkpoints and large models: what fits, and the steps of a training row', async () => {
  await type('dataengine model plan configs/reference/7b-qma-base.yaml --gpu rtx-4090');
  await type('dataengine model plan configs/reference/7b-qma-rounds1-2.yaml --gpu a100-40gb');
  // From here on, what takes a GPU and official data has the small config in its place.
  const official = join(sandbox.folder, 'configs', 'minigpt4-7b.yaml');
  await copyFile(smallConfig, official);
  await changeConfig(official, { teacher: { budget: { limit: 50 } } });
  const row = join(sandbox.folder, 'configs', 'reference', '7b-qma-rounds1-2.yaml');
  await copyFile(smallConfig, row);
  // It is a folder deeper.
  const places = {
    runsDirectory: '../../runs',
    cacheDirectory: '../../.cache',
    model: { path: '../../data/stage1' },
    data: { root: '../../.cache/scenes' },
  };
  await changeConfig(row, { run: 'row', rounds: 0, ...places });
  for (const step of ['prepare-data', 'finetune ', 'merge ', 'evaluate ']) {
    await type(`dataengine ${step.trim()} --config configs/reference/7b-qma-rounds1-2.yaml`);
  }
  expect(await readdir(join(sandbox.folder, 'runs', 'row', 'round-0'))).toContain('evaluate');
});

test('Operations: a server and workers, a run, a schedule', async () => {
  const server = start(
    `npx dataengine temporal server start-dev --db-filename temporal.db --dynamic-config-value 'frontend.httpAllowedHosts=[]' &`,
    {
      ' &': ` --port ${serverPorts[0]} --ui-port ${serverPorts[1]} --log-level error`,
    },
  );
  await whileRunning(server, async () => {
    client = new Client({ connection: await Connection.connect({ address }) });
  });
  for (const kind of ['cpu', 'gpu']) {
    const worker = start(`npm run dataengine -- worker ${kind} &`, { ' &': '' });
    await whileRunning(worker, () => expect(worker.shown()).toContain('RUNNING'));
  }
  await type(
    `npx dataengine temporal workflow start --type dataEngine --task-queue data-engine --workflow-id my-run --input '{"config":"configs/demo.yaml","run":"my-run"}'`,
  );
  expect(await type('npx dataengine temporal workflow query --workflow-id my-run --type rounds')).toContain(
    'QueryResult',
  );
  await client.workflow.getHandle('my-run').cancel();
  await expect.poll(() => stateOf('my-run'), { timeout: 60_000 }).toBe('CANCELLED');

  await type(
    `npx dataengine temporal schedule create --schedule-id nightly --cron '0 2 * * *' --overlap-policy Skip --catchup-window 1h --type dataEngine --task-queue data-engine --workflow-id nightly --input '{"config":"configs/demo.yaml"}'`,
  );
  await removeSchedule();
}, 300_000);

test('Command line: single steps', async () => {
  const order = ['prepare-data', 'finetune', 'merge', 'evaluate', 'classify', 'embed', 'sample', 'report'];
  for (const step of order) {
    const lines = [...documented].filter((line) => line.startsWith(`npm run dataengine -- ${step} --config `));
    for (const line of lines) await type(line);
  }
  const round = join(sandbox.folder, 'runs', 'demo', 'round-1');
  expect(await readdir(join(round, 'sample'))).toContain('requests.jsonl');
  expect(await readFile(join(sandbox.folder, 'runs', 'demo', 'report.html'), 'utf8')).toContain('</html>');
}, 300_000);

const generation = 'tuesday/round-1/generation';

/** Starts the run, which comes to round 1 and has no money. */
async function runUntilOutOfMoney(): Promise<Background> {
  const run = start('npm run dataengine -- run --config configs/demo.yaml --workflow-id tuesday');
  await whileRunning(run, async () => {
    const { state } = await client.workflow.getHandle(generation).query<{ state: string }>('progress');
    expect(state).toBe('waiting for a top-up');
  });
  return run;
}

test('Teacher: what it will cost, and a round that ends with the answers there are', async () => {
  expect(await type('dataengine estimate --config configs/minigpt4-7b.yaml --round 1')).toContain('12 requests');
  const run = await runUntilOutOfMoney();
  await type(`dataengine finish-early ${generation}`);
  expect(await run.ended).toMatchObject({ code: 0, shown: expect.stringContaining('report.html') });
}, 300_000);

test('Teacher and operations: a run is paused, topped up, and followed to its end', async () => {
  const run = await runUntilOutOfMoney();
  await type(
    `npx dataengine temporal workflow update execute --workflow-id tuesday --name pause --input '{"reason":"the GPU is needed"}'`,
  );
  await type(`npx dataengine temporal workflow list --query 'DataEngineState = "waiting"'`);
  const watching = start('npm run dataengine -- watch tuesday');
  await whileRunning(watching, () => expect(watching.shown()).toContain('paused: the GPU is needed'));
  await type(
    `npx dataengine temporal workflow update execute --workflow-id ${generation} --name topUp --input '{"amount":50}'`,
  );
  await type(`dataengine top-up ${generation} 50`);
  await sandbox.type('dataengine resume tuesday');
  expect(await run.ended).toMatchObject({ code: 0, shown: expect.stringContaining('2 of 2 rounds') });
  expect(await watching.ended).toMatchObject({ code: 0 });
  const watched = await type('npm run dataengine -- watch tuesday --json');
  const lines = watched.split('\n').filter((line) => line.startsWith('{'));
  expect(lines.map((line) => JSON.parse(line))).not.toEqual([]);
  expect(await stateOf('tuesday')).toBe('COMPLETED');
}, 300_000);

test('Operations: schedules', async () => {
  await type(
    'npm run dataengine -- schedule create nightly --config configs/demo.yaml --cron "0 2 * * *" --time-zone Europe/Berlin',
  );
  expect(await type('npm run dataengine -- schedule describe nightly')).toMatch(/Next .*T0[01]:00:00/);
  await removeSchedule();
  await type(
    `npx dataengine temporal schedule create --schedule-id nightly --cron '0 2 * * *' --overlap-policy Skip --catchup-window 1h --pause-on-failure --type dataEngine --task-queue data-engine --workflow-id nightly --input '{"config":"configs/demo.yaml","run":"nightly","more":1}'`,
  );
  expect((await client.schedule.getHandle('nightly').describe()).policies).toMatchObject({ pauseOnFailure: true });
  await removeSchedule();
}, 60_000);

test('Data', async () => {
  const scenes = join(sandbox.folder, '.cache', 'scenes');
  await type('dataengine data check configs/minigpt4-7b.yaml --data-root /data', { '/data': scenes });
  await copyFile(smallConfig, join(sandbox.folder, 'birds.yaml'));
  await type('dataengine data check birds.yaml');
  expect(await type('dataengine data stats configs/demo.yaml')).toContain('aokvqa');
  const log = await type('dataengine data log configs/demo.yaml');
  const [line = ''] = (await sandbox.type('dataengine data log configs/demo.yaml --json')).split('\n');
  const newest: { id: string } = JSON.parse(line);
  expect(log).toContain(newest.id.slice(0, 6));
  await type('dataengine data diff configs/demo.yaml round-1 latest');
  await type('dataengine data checkout configs/demo.yaml 3f9a2c --output old', {
    '3f9a2c': newest.id.slice(0, 12),
  });
  expect(await readdir(join(sandbox.folder, 'old'))).not.toEqual([]);
  await type('dataengine data export configs/demo.yaml latest --format parquet --output my-dataset');
  expect(await readdir(join(sandbox.folder, 'my-dataset'))).toContain('README.md');
}, 120_000);

test('Benchmarks', async () => {
  await writeTable(join(sandbox.folder, 'mmbench_dev_20230712.tsv'), await mmbenchRows());
  await type('dataengine evaluate --benchmark mmbench --file mmbench_dev_20230712.tsv --model data/stage1 --blind');
  await type('dataengine evaluate --config configs/demo.yaml --benchmark test --round 2 --blind');
  await type('dataengine compare runs/demo/round-0/evaluate runs/demo/round-2/evaluate');
  await type('dataengine power --difference 3 runs/demo/round-0/evaluate runs/demo/round-2/evaluate');
  const questions = join(sandbox.folder, '.cache', 'scenes', 'A-OKVQA', 'aokvqa_v1p0_val_classified.json');
  const predictions = join(sandbox.folder, 'runs', 'demo', 'round-2', 'evaluate', 'aokvqa_predictions.json');
  await copyFile(questions, join(sandbox.folder, 'aokvqa_v1p0_val.json'));
  await copyFile(predictions, join(sandbox.folder, 'aokvqa_predictions.json'));
  expect(await type('dataengine score aokvqa_predictions.json --questions aokvqa_v1p0_val.json')).toContain(
    'multipleChoice',
  );
}, 120_000);

test('Quality: Interactive Prompt Optimization, with our commands and with Temporal’s', async () => {
  const handle = () => client.workflow.getHandle('better-prompt');
  await type('dataengine prompt start --config configs/minigpt4-7b.yaml --workflow-id better-prompt --samples 4');
  const page = start('dataengine prompt review better-prompt --web');
  await whileRunning(page, async () => {
    const url = /http:\/\/\S+/.exec(page.shown())?.[0];
    expect((await fetch(url as string)).status).toBe(200);
  });
  const review = start('dataengine prompt review better-prompt');
  for (const asked of [1, 2, 3, 4]) {
    await whileRunning(review, () => expect(review.shown().split('later (l)? ')).toHaveLength(asked + 1));
    review.write('g\n');
  }
  await whileRunning(review, () => expect(review.shown()).toContain('stop (s)? '));
  review.write('s\n');
  expect(await review.ended).toMatchObject({ code: 0 });
  expect(await handle().result()).toMatchObject({ iterations: 1 });

  await type(
    `npx dataengine temporal workflow start --type dataEnginePromptOptimization --task-queue data-engine --workflow-id better-prompt --input '{"config":"configs/minigpt4-7b.yaml","samples":4}'`,
  );
  const waiting = async (iteration: number) => {
    const { phase, current } = await handle().query<{
      phase: string;
      current?: { iteration: number; samples: { id: string }[] };
    }>('progress');
    expect([phase, current?.iteration]).toEqual(['waiting for verdicts', iteration]);
    return current?.samples[0]?.id as string;
  };
  const sample = await vi.waitFor(() => waiting(0), { timeout: 60_000, interval: 200 });
  expect(await type('npx dataengine temporal workflow query --workflow-id better-prompt --type progress')).toContain(
    sample,
  );
  await type(
    `npx dataengine temporal workflow update execute --workflow-id better-prompt --name verdict --input '{"sample":"1a2b3c4d","verdict":"bad","comment":"asks about something cut off at the edge"}'`,
    { '1a2b3c4d': sample },
  );
  const decide = 'npx dataengine temporal workflow update execute --workflow-id better-prompt --name decide --input';
  await type(`${decide} '{"action":"revise"}'`);
  await vi.waitFor(() => waiting(1), { timeout: 60_000, interval: 200 });
  await type(`${decide} '{"action":"accept"}'`);
  expect(await handle().result()).toMatchObject({ accepted: { version: expect.any(String) } });
}, 180_000);

test('Operations and extending: workers with metrics and health, a queue, a trainer, a version of their own', async () => {
  const [metricsPort, healthPort] = await freePorts(2);
  const watched = start(
    'npm run dataengine -- worker cpu --slots resources --metrics-address 127.0.0.1:9464 --health-port 8080 --log-format json',
    { '9464': String(metricsPort), '8080': String(healthPort) },
  );
  await whileRunning(watched, async () => {
    expect((await fetch(`http://127.0.0.1:${healthPort}/healthz`)).status).toBe(200);
    expect(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).toContain('temporal_');
  });
  for (const line of [
    'npm run dataengine -- worker gpu --task-queue data-engine-gpu-a100',
    'npm run dataengine -- worker teacher',
    'dataengine worker gpu --trainer examples/shortest-answer-trainer.ts',
  ]) {
    const worker = start(line);
    await whileRunning(worker, () => expect(worker.shown()).toContain('RUNNING'));
  }
  const versioned = sandbox.start('dataengine worker cpu --build-id mine');
  await whileRunning(versioned, () =>
    type('npx dataengine temporal worker deployment set-current-version --deployment-name data-engine --build-id ID', {
      ' ID': ' mine --yes',
    }),
  );
}, 120_000);

test('Command line and parity: completion, and adapters for PEFT', async () => {
  await type('source <(dataengine completion bash)');
  // These shells are not everywhere; what they would read is.
  for (const [shell, line] of [
    ['zsh', 'source <(dataengine completion zsh)'],
    ['fish', 'dataengine completion fish | source'],
  ] as const) {
    fromPages(line, {});
    expect(await sandbox.type(`dataengine completion ${shell}`)).toContain('dataengine');
  }
  await type('node --import tsx test/fixtures/write-adapters.ts /tmp/adapters', {
    '/tmp/adapters': join(sandbox.folder, 'adapters'),
  });
  expect(await readdir(join(sandbox.folder, 'adapters'))).not.toEqual([]);
}, 60_000);

test('every command on the pages was run', () => {
  expect([...documented].filter((line) => !typed.has(line) && !(line in elsewhere))).toEqual([]);
  expect(Object.keys(elsewhere).filter((line) => !documented.has(line))).toEqual([]);
});
