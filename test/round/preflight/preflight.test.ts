import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Config } from '../../../src/config/schema.ts';
import { projectFile } from '../../../src/core/files.ts';
import { readManifest } from '../../../src/core/manifest.ts';
import { checkData } from '../../../src/round/check-data.ts';
import { finetune } from '../../../src/round/finetune/finetune.ts';
import { requireDiskSpace } from '../../../src/round/preflight/disk-space.ts';
import { preflight, requirePreflight } from '../../../src/round/preflight/preflight.ts';
import { requireTeacher } from '../../../src/round/preflight/teacher-server.ts';
import { prepareData } from '../../../src/round/prepare-data/prepare-data.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeOwnRun } from '../own-questions-run.ts';
import { tinyContext, writeTinyRun } from '../tiny-run.ts';

type Changes = Record<string, Record<string, unknown>>;

/** The tiny run, with some sections of its config changed. */
async function tinyRun(changes: Changes = {}) {
  const folder = await temporaryFolder();
  const context = await tinyContext(
    await writeTinyRun(folder, (config) => {
      const given: Record<string, object> = config as never;
      const changed = Object.entries(changes).map(([key, value]) => [key, { ...given[key], ...value }]);
      return { ...config, ...Object.fromEntries(changed) };
    }),
  );
  return { folder, context };
}

async function problemsOf(changes: Changes): Promise<string[]> {
  const { context } = await tinyRun(changes);
  return (await preflight(context)).problems.map(({ error }) => error.message);
}

/** A server that answers with its models, or as it is said. @returns its address, and what was asked */
async function teacherServer(answer: (path: string, key: string | undefined) => { status: number; body: unknown }) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const { status, body } = answer(request.url ?? '', request.headers.authorization);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const listOf = (...ids: string[]) => ({
  status: 200,
  body: { object: 'list', data: ids.map((id) => ({ id, object: 'model' })) },
});

describe('the teacher', () => {
  test('a provider that is not there is named', async () => {
    const { context } = await tinyRun();
    const config = { ...context.config, teacher: { ...context.config.teacher, provider: 'opnai' } } as Config;
    const { problems } = await preflight({ ...context, config });
    expect(problems[0]?.error.message).toBe(
      'config: teacher.provider: there is no provider opnai. Known are azure, local, openai',
    );
  });

  test('a key that is missing is found before anything is trained', async () => {
    vi.stubEnv('NO_SUCH_KEY', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { context } = await tinyRun({ teacher: { provider: 'openai', apiKeyVariable: 'NO_SUCH_KEY' } });
    const message = expect.stringMatching(/NO_SUCH_KEY: is not set, and the teacher needs a key/);
    await expect(prepareData(context)).rejects.toMatchObject({ name: 'InputError', message });
    expect((await checkData(context.config, context)).problems).toMatchObject([{ item: 'environment: NO_SUCH_KEY' }]);
    await expect(requirePreflight({ ...context }, 'generate')).rejects.toMatchObject({ message });
  });

  test('a server on this machine needs no key, and is asked for its models alone', async () => {
    const { address, asked } = await teacherServer(() => listOf('qwen'));
    const teacher = { provider: 'openai', baseUrl: `${address}/v1`, model: 'qwen', apiKeyVariable: 'NO_SUCH_KEY' };
    expect(await problemsOf({ teacher })).toEqual([]);
    expect(asked).toEqual(['GET /v1/models']);
  });

  test('a wrong port is found at once', async () => {
    const started = Date.now();
    const [problem, ...others] = await problemsOf({
      teacher: { provider: 'openai', baseUrl: 'http://127.0.0.1:9/v1', model: 'qwen' },
    });
    expect(problem).toMatch(
      /^config: teacher\.baseUrl: http:\/\/127\.0\.0\.1:9\/v1: the teacher could not be reached: .*ECONNREFUSED.*\. Start the server, or correct the address and the port$/,
    );
    expect(others).toEqual([]);
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test('a model that the server does not have is named, with the nearest one', async () => {
    const { address } = await teacherServer(() => listOf('llava-v1.6', 'qwen2.5-vl-7b'));
    const teacher = { provider: 'openai', baseUrl: `${address}/v1`, model: 'qwen2.5-vl-72b' };
    expect(await problemsOf({ teacher })).toEqual([
      `config: teacher.model: ${address}/v1 has no model qwen2.5-vl-72b. Did you mean qwen2.5-vl-7b? It has llava-v1.6, qwen2.5-vl-7b`,
    ]);
  });

  test.each(['llama3', 'models/gemini-2', 'gpt-4o:online'])(
    'servers that list a model with a tag or a folder know it: %s',
    async (listed) => {
      const { address } = await teacherServer(() => listOf('llama3:latest', 'models/gemini-2', 'gpt-4o'));
      const model = listed.replace('models/', '');
      expect(await problemsOf({ teacher: { provider: 'openai', baseUrl: `${address}/v1`, model } })).toEqual([]);
    },
  );

  test('an address without the version of the protocol is corrected', async () => {
    const { address } = await teacherServer((path) =>
      path === '/v1/models' ? listOf('qwen') : { status: 404, body: { detail: 'Not Found' } },
    );
    const [problem] = await problemsOf({ teacher: { provider: 'openai', baseUrl: address, model: 'qwen' } });
    expect(problem).toContain(`has no models, and ${address}/v1 has. Set it to ${address}/v1`);
  });

  test('a refused key is a problem; a server that lists no models, or is busy, is left to the first request', async () => {
    for (const [status, found] of [
      [401, [expect.stringContaining('The teacher refuses the key')]],
      [404, []],
      [503, []],
    ] as const) {
      const { address } = await teacherServer(() => ({ status, body: { error: { message: 'no' } } }));
      expect(await problemsOf({ teacher: { provider: 'openai', baseUrl: `${address}/v1`, model: 'qwen' } })).toEqual(
        found,
      );
    }
  });

  test('a worker that leaves the teacher to others does not look for it, says so, and one of the others does', async () => {
    const { context } = await tinyRun({ teacher: { provider: 'openai', baseUrl: 'http://127.0.0.1:9/v1' } });
    const leaving = { ...context, asksNoTeacher: true };
    expect((await preflight(leaving)).problems).toEqual([]);
    expect(await prepareData(leaving)).toMatchObject({ leavesTeacher: true });
    await expect(requireTeacher(context)).rejects.toThrow('teacher.baseUrl: http://127.0.0.1:9/v1');
  });

  test('there is nothing to look for where the teacher is started for each piece of work', async () => {
    const { context } = await tinyRun();
    expect(await prepareData({ ...context, asksNoTeacher: true })).not.toHaveProperty('leavesTeacher');
    expect(await requireTeacher(context)).toEqual({ notes: [] });
  });
});

describe('files', () => {
  test('a model that is not there, and what a model lacks, by name', async () => {
    expect(await problemsOf({ model: { path: 'no/such' } })).toEqual([
      expect.stringMatching(/no\/such: no such folder\. /),
    ]);
    const { context, folder } = await tinyRun();
    const model = join(folder, 'model');
    await cp(context.config.model.path, model, { recursive: true });
    await rm(join(model, 'tokenizer.json'));
    await rm(join(model, 'model.safetensors'));
    const config = { ...context.config, model: { ...context.config.model, path: model } };
    await expect(prepareData({ ...context, config })).rejects.toThrow(
      `${model}: is no whole model: weights (model.safetensors), tokenizer.json are missing`,
    );
  });

  test('a type of a question that the list lacks is named before it ends a generation', async () => {
    const { context, folder } = await tinyRun();
    const file = join(folder, 'data/A-OKVQA/aokvqa_v1p0_val.json');
    const questions = JSON.parse(await readFile(file, 'utf8'));
    questions[1].question_type = 'colour';
    await writeFile(file, JSON.stringify(questions));
    expect((await preflight(context)).problems).toMatchObject([
      {
        item: 'A-OKVQA/aokvqa_v1p0_val.json: question_type',
        problem: expect.stringMatching(/^colour \(1 question\): not in /),
      },
    ]);
  });

  test('a pool without an image to ask about is a problem, one with too few is a note', async () => {
    const { context } = await tinyRun();
    expect((await preflight(context)).notes).toEqual([expect.stringContaining('The gate can reject a round only')]);
    const sampling = { ...context.config.sampling, maximumBoxes: 0 };
    expect((await preflight({ ...context, config: { ...context.config, sampling } })).problems).toMatchObject([
      {
        item: 'config: sampling.maximumBoxes',
        problem: expect.stringMatching(
          /^no image is left to ask the teacher about: of \d+, \d+ have more boxes than sampling\.maximumBoxes \(0\)/,
        ),
      },
    ]);
    const many = { ...context.config.sampling, requests: 1000 };
    expect((await preflight({ ...context, config: { ...context.config, sampling: many } })).notes).toEqual(
      expect.arrayContaining([expect.stringMatching(/^The pool has \d+ free images, and 2 rounds of 1000 requests/)]),
    );
  });

  test('a prompt for short answers or for verification that lacks a place is a problem', async () => {
    const { file, folder } = await writeOwnRun();
    const own = await tinyContext(file);
    const prompt = await readFile(projectFile('configs/prompts/generate-short-from-image-v1.md'), 'utf8');
    const wrong = join(folder, 'wrong.md');
    await writeFile(wrong, prompt.replace('{{examples}}', ''));
    const teacher = { ...own.config.teacher, shortAnswerPrompt: wrong };
    expect((await preflight({ ...own, config: { ...own.config, teacher } })).problems).toMatchObject([
      { item: wrong, problem: 'has no place {{examples}}' },
    ]);
    expect((await preflight(own)).problems).toEqual([]);
  });

  test('a disk that the merged models would fill is noticed before', async () => {
    const { context, folder } = await tinyRun();
    const model = join(folder, 'model');
    await cp(context.config.model.path, model, { recursive: true });
    // Ten terabytes that take no space.
    await writeFile(join(model, 'large.safetensors'), '');
    await truncate(join(model, 'large.safetensors'), 1e13);
    const config = { ...context.config, model: { ...context.config.model, path: model } };
    expect((await preflight({ ...context, config })).problems).toMatchObject([
      {
        item: 'config: runsDirectory',
        problem: expect.stringMatching(
          /GB are free at .*, and 3 rounds need about 30000\.0 GB: 3 merged models 30000\.0 GB, adapters and checkpoints \d.* [kM]B, requests, answers and samples 0\.3 MB$/,
        ),
      },
    ]);
  });
});

test('with retention, only so many merged models count as are there at a time', async () => {
  const { context, folder } = await tinyRun();
  const model = join(folder, 'model');
  await cp(context.config.model.path, model, { recursive: true });
  await writeFile(join(model, 'large.safetensors'), '');
  await truncate(join(model, 'large.safetensors'), 1e13);
  const retention = { lastRounds: 0, best: false };
  const config = { ...context.config, rounds: 9, retention, model: { ...context.config.model, path: model } };
  const { problems } = await preflight({ ...context, config });
  expect(problems[0]?.problem).toContain('10 rounds need about 20000.0 GB: 2 merged models 20000.0 GB');
  // A run that is continued night after night looks again before it asks the teacher.
  await expect(requireDiskSpace({ ...context, config }, 1)).rejects.toThrow(
    /1 round needs about 10000\.0 GB: 1 merged model 10000\.0 GB.*`dataengine prune --dry-run`/,
  );
});

test('what can not be known here is listed, and checked nowhere', async () => {
  const { context } = await tinyRun({ teacher: { provider: 'openai', baseUrl: 'http://127.0.0.1:9/v1' } });
  const { problems, unchecked } = await preflight(context, { places: ['config', 'files'] });
  expect(problems).toEqual([]);
  expect(unchecked).toEqual([
    'whether this version can continue the run',
    'space on the disk',
    'the teacher’s key',
    'whether the teacher answers, and knows its model',
  ]);
});

test('a step by hand before the data is made names the step that makes it', async () => {
  const { context, folder } = await tinyRun({
    data: { scenes: { seed: 1, trainImages: 4, validationImages: 2, testImages: 2 } },
  });
  await rm(join(folder, 'data'), { recursive: true });
  await expect(requirePreflight(context, 'embed')).rejects.toThrow(
    'the run has not finished its step prepare-data. Run `dataengine prepare-data --round 0` with the same config first',
  );
});

test('a step by hand looks only at what it needs: a machine that trains needs no key', async () => {
  vi.stubEnv('NO_SUCH_KEY', '');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { context } = await tinyRun({ teacher: { provider: 'openai', apiKeyVariable: 'NO_SUCH_KEY' } });
  expect(await requirePreflight(context, 'finetune')).toEqual([]);
  await finetune(context);
  expect(await readManifest(join(context.run.root, 'round-0/finetune'))).toBeDefined();
});
