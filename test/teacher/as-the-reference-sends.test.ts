/** Requests of the reference system's scripts: `engine_pipeline/step3_generate_qa.py` and `utils.py`, tag version1.0. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { teacherSchema } from '../../src/config/teacher-schema.ts';
import { type AskTeacher, teacherIdentity, withTeacher } from '../../src/round/teacher.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { tinyContext, writeTinyRun } from '../round/tiny-run.ts';
import { goodReply, setUp } from './faulty-round.ts';
import { faultyServer } from './faulty-server.ts';

const asReference = { stop: ['###'], logitBias: { '50256': -100 } };

test('a sample is asked for with the fields that the reference sends, under configs/reference', async () => {
  const { teacher } = await loadConfig('configs/reference/7b-qma-rounds1-2.yaml');
  expect(teacher).toMatchObject(asReference);
  const { generate, received } = await setUp(goodReply, { ...teacher, model: 'gpt-4' });
  await generate();
  const { messages: _, seed: _seed, ...fields } = received[0]?.body ?? {};
  expect(fields).toEqual({
    model: 'gpt-4',
    temperature: 0.7,
    top_p: 0.9,
    max_tokens: 800,
    stop: ['###'],
    logit_bias: { '50256': -100 },
  });
});

test('by default there are none, and answers that were paid for before these keys existed are used again', async () => {
  const { generate, received } = await setUp(goodReply);
  await generate();
  expect(Object.keys(received[0]?.body ?? {})).not.toEqual(expect.arrayContaining(['stop', 'logit_bias']));
  const teacher = teacherSchema.parse({});
  expect(Object.keys(teacherIdentity(teacher))).not.toContain('stop');
  expect(teacherIdentity({ ...teacher, ...asReference })).toMatchObject(asReference);
});

test('they are sent for samples and question types, not for prompts and replies that may hold such a text', async () => {
  const { received, baseUrl } = await faultyServer(goodReply);
  vi.stubEnv('OPENAI_API_KEY', 'sk-fake-000');
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const teacher = { provider: 'openai', baseUrl, ...asReference };
  const file = await writeTinyRun(await temporaryFolder(), (config) => ({ ...config, teacher }));
  const work = async (ask: AskTeacher) => {
    await ask([{ role: 'user', content: 'Revise the prompt' }], {});
    await ask([{ role: 'user', content: 'Write a sample' }], { asForSamples: true });
  };
  await withTeacher(await tinyContext(file), work, { planned: undefined });
  expect(received.map(({ body }) => [body.stop, body.logit_bias])).toEqual([
    [undefined, undefined],
    [['###'], { '50256': -100 }],
  ]);
});

test.each([
  [{ stop: ['1', '2', '3', '4', '5'] }],
  [{ logitBias: { cat: -100 } }],
  [{ logitBias: { '50256': -101 } }],
  [{ extraBody: { stop: ['###'] } }],
])('%j is refused', (settings) => {
  expect(teacherSchema.safeParse(settings).success).toBe(false);
});
