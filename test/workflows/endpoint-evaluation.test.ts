/**
 * `dataengine evaluate --endpoint … --temporal`: the workflow with its real activity, a real Temporal server, a worker as a process
 * and a real server of chat completions.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createTeacherActivities } from '../../activities/teacher.ts';
import { type OwnedProcess, startOwned } from '../../demo/command/child-process.ts';
import { loadWorkerSettings, type WorkerSettings } from '../../src/core/worker-settings.ts';
import { readScores } from '../../src/evaluation/evaluation-files.ts';
import { evaluateEndpoint } from '../../src/round/evaluate/evaluate-endpoint.ts';
import { readLedger } from '../../src/teacher/ledger.ts';
import { dataengine, printedBy } from '../cli/in-this-process.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { writeTinyQuestions } from '../helpers/tiny-model.ts';
import { about, input, server, setOf } from '../round/evaluate/endpoint-inputs.ts';
import { createWorker, startEnvironment, type WorkflowTestEnvironment } from './environment.ts';
import { until } from './until.ts';
import { dependencies } from './worker-activities.ts';

let environment: WorkflowTestEnvironment;

beforeAll(async () => {
  environment = await startEnvironment();
}, 300_000);

afterAll(() => environment?.temporal.teardown());

const workerEntry = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** Questions, and what a workflow is given to ask them. */
async function questionsFor(url: string, count: number) {
  const folder = await temporaryFolder();
  const tiny = await writeTinyQuestions(folder, count);
  const output = join(folder, 'evaluations');
  const asked = { benchmark: 'aokvqa', answers: 'ranked', file: tiny.file, images: tiny.images };
  return { folder, tiny, output, given: { ...asked, endpoint: url, modelName: 'toy', concurrency: 2, output } };
}

/** The workflow's worker here, and one of the teacher's queue in a process of its own. */
async function startTeacherWorker(folder: string, queue: string): Promise<OwnedProcess> {
  const worker = await startOwned({
    name: 'teacher worker',
    program: process.execPath,
    arguments: ['--import', import.meta.resolve('tsx'), workerEntry, 'worker', 'teacher', '--task-queue', queue],
    logFile: join(folder, 'worker.log'),
    environment: {
      TEMPORAL_ADDRESS: environment.temporal.address,
      TEMPORAL_NAMESPACE: 'default',
      DATAENGINE_EXIT_WITH_PARENT: '1',
    },
  });
  onTestFinished(() => worker.stop());
  return worker;
}

test('after kill -9 of the worker the next one resumes at the last answered question, with the scores of a single process', async () => {
  const toy = await server({ delay: 40 });
  const { folder, tiny, output, given } = await questionsFor(toy.url, 12);
  const worker = await createWorker(environment, folder, {});
  const first = await startTeacherWorker(folder, `${folder}-teacher`);
  const { result, before } = await worker.runUntil(async () => {
    const handle = await environment.temporal.client.workflow.start('dataEngineEndpointEvaluation', {
      taskQueue: folder,
      workflowId: folder,
      args: [given],
    });
    await until(() => about(tiny, toy.received).length >= 26);
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    const before = about(tiny, toy.received).length;
    await startTeacherWorker(folder, `${folder}-teacher`);
    return { before, result: await handle.result() };
  });
  // Five requests a question; what was open when it was killed, at most two questions, is asked again.
  const all = about(tiny, toy.received).length;
  expect(before).toBeLessThan(12 * 5);
  expect(all).toBeLessThanOrEqual(14 * 5);
  expect(toy.mostOpen()).toBeLessThanOrEqual(2);
  const undisturbed = await evaluateEndpoint(await input(toy.url, setOf(tiny)));
  const answersOf = (place: string) => readFile(join(place, 'answers', 'answers.jsonl'), 'utf8');
  expect(await answersOf(result.folder)).toBe(await answersOf(undisturbed.folder));
  const { measures, ...facts } = await readScores(result.folder);
  expect(result.scores).toMatchObject(facts);
  for (const [name, { groups: _, ...measure }] of Object.entries(measures)) {
    expect(result.scores.measures[name]).toEqual({ ...measure, groups: {} });
  }
  expect((await readLedger(output)).calls).toBeGreaterThanOrEqual(12);
});

test('the command starts it, waits for it and prints the scores; done before, it asks the fingerprint alone', async () => {
  const toy = await server();
  const { tiny, output, given } = await questionsFor(toy.url, 3);
  const options = ['--benchmark', 'aokvqa', '--answers', 'ranked', '--file', given.file, '--images', given.images];
  const command = [
    'evaluate',
    ...options,
    '--endpoint',
    toy.url,
    '--model-name',
    'toy',
    '--output',
    output,
    '--temporal',
  ];
  const cpu = await createWorker(environment, 'data-engine', {});
  const teacher = await createWorker(environment, 'data-engine-teacher', createTeacherActivities(dependencies));
  await cpu.runUntil(
    teacher.runUntil(async () => {
      const { address } = environment.temporal;
      const printed = await dataengine(address, ...command);
      expect(printed).toContain('Answered by toy at');
      expect(printed).toContain(`In ${output}`);
      const before = about(tiny, toy.received).length;
      expect(before).toBe(3 * 5);
      await dataengine(address, ...command, '--workflow-id', 'again');
      expect(about(tiny, toy.received)).toHaveLength(before);
    }),
  );
});

describe('a worker refuses', () => {
  const run = async (given: object, settings: Partial<WorkerSettings> = {}) => {
    const queue = await temporaryFolder();
    const activities = createTeacherActivities({
      ...dependencies,
      settings: { ...(await loadWorkerSettings()), ...settings },
    });
    const worker = await createWorker(environment, queue, activities);
    const failure = await worker.runUntil(
      environment.temporal.client.workflow
        .execute('dataEngineEndpointEvaluation', {
          taskQueue: queue,
          workflowId: queue,
          args: [{ ...given, teacherQueue: queue }],
        })
        .catch((error: Error) => error),
    );
    const causes: string[] = [];
    for (let error = failure as Error | undefined; error !== undefined; error = error.cause as Error | undefined) {
      causes.push(error.message);
    }
    return causes.join('\n');
  };

  test.each([
    [
      'a server that no secret is bound to',
      { endpoint: 'http://elsewhere.example/v1' },
      /--endpoint.* may not send prompts to elsewhere/,
    ],
    [
      'a key that is not bound to it',
      { apiKeyVariable: 'HOME', endpoint: 'https://api.openai.com/v1' },
      /may not send HOME to api\.openai\.com/,
    ],
    ['a folder that has no runs', { output: '/etc/evaluations' }, /in none of its folders/],
    ['a benchmark that is none', { benchmark: 'mmbnch' }, /there is no benchmark 'mmbnch'/],
    ['the judge', { benchmark: 'questions', metric: 'judge', answers: undefined }, /judge is not supported here/],
    ['an option that is none', { modelNam: 'toy' }, /modelNam: no such key/],
    ['an exif mode that is none', { exif: 'maybe' }, /exif: must be apply/],
  ])('%s', async (_, changes, words) => {
    const { given } = await questionsFor('http://127.0.0.1:9/v1', 1);
    expect(await run({ ...given, ...changes })).toMatch(words);
  });

  test('a file in none of its folders of data', async () => {
    const { given } = await questionsFor('http://127.0.0.1:9/v1', 1);
    const elsewhere = await temporaryFolder();
    expect(await run(given, { data: [elsewhere] })).toMatch(/file: is in none of the folders of this worker/);
    const inside = join(elsewhere, 'questions.json');
    await writeFile(inside, await readFile(given.file));
    expect(await run({ ...given, file: inside }, { data: [elsewhere] })).toMatch(/images: is in none of the folders/);
  });
});

test.each([
  [['--temporal', '--benchmark', 'mmbench', '--file', 'a.tsv'], /--temporal.* is for --endpoint/],
  [
    ['--detach', '--benchmark', 'mmbench', '--file', 'a.tsv', '--endpoint', 'http://127.0.0.1:9'],
    /--detach.* is for --temporal/,
  ],
  [
    ['--temporal', '--benchmark', 'mmbench', '--file', 'a.tsv', '--endpoint', 'http://127.0.0.1:9', '--model', 'm'],
    /--model.* is for a model here/,
  ],
])('the command line %j is refused', async (words, problem) => {
  await expect(printedBy('evaluate', ...words)).rejects.toThrow(problem);
});
