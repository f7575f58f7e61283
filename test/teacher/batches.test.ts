/** A chunk as batches, at a local teacher: what becomes of requests that the model can't take. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Faults } from '../../demo/local-teacher/faults.ts';
import { collectBatch, submitBatch } from '../../src/teacher/batches.ts';
import { type RawAnswer, readCallLog } from '../../src/teacher/call-log.ts';
import { createTeacherAsker } from '../../src/teacher/request-asker.ts';
import type { TeacherChunk } from '../../src/teacher/teacher-chunk.ts';
import { runningTeacher } from '../demo/local-teacher/running-teacher.ts';
import { request } from '../generation/requests.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const example = { idx: 'a', prompt: 'Question: What is it? '.repeat(20) };
type Request = ReturnType<typeof request>;

async function setUp(requests: Request[], faults: Faults) {
  const { teacher, client, settings } = await runningTeacher({ faults });
  const asker = createTeacherAsker<Request>({
    client,
    storeAnswers: false,
    settings: () => settings,
    examples: ({ examples }) => examples.length,
    messages: ({ id, examples }, dropped) => {
      const shown = examples.slice(0, examples.length - dropped);
      return [{ role: 'user', content: [id, ...shown.map(({ prompt }) => prompt)].join('\n') }];
    },
  });
  const calls = join(await temporaryFolder(), 'calls');
  const chunk = {
    number: 0,
    requests,
    calls,
    settings: { batch: { requests: 100 } } as TeacherChunk['settings'],
    run: 'run',
    price: undefined,
    costBefore: 0,
    connect: (work) => work(client),
    withAsker: (_, work) => work(asker),
    account: async () => undefined,
  } satisfies TeacherChunk<Request>;
  const { signal } = new AbortController();
  /** Submits and collects until every request is answered or given up. @returns the answers, by request */
  const run = async (): Promise<{ answers: Map<string, RawAnswer>; batches: number }> => {
    for (let batches = 0; ; batches += 1) {
      const submitted = await submitBatch(chunk, { signal });
      if (submitted.batch === undefined) return { answers: (await readCallLog(calls, 0)).answers, batches };
      // A process that is replaced collects a batch again.
      for (const _ of ['first', 'again']) await collectBatch(chunk, submitted.batch);
    }
  };
  return { teacher, asker, run };
}

test('a prompt that is too long is sent again with one in-context example less', async () => {
  const requests = [request(1, { examples: [example, example] }), request(2, { examples: [] })];
  const { asker } = await setUp(requests, {});
  const { promptTokens, completionTokens } = asker.most(requests[0] as Request);
  const { run } = await setUp(requests, { contextTokens: promptTokens + completionTokens - 50 });
  const { answers, batches } = await run();
  expect(batches).toBe(2);
  expect(answers.get('request-1')).toMatchObject({ examples_dropped: 1 });
  expect(answers.get('request-1')).not.toHaveProperty('refusal');
  expect(answers.get('request-2')).not.toHaveProperty('examples_dropped');
});

test('one that is too long without any is left with its refusal, as when it is asked by itself', async () => {
  const { run, teacher } = await setUp([request(1, { examples: [example, example] })], { contextTokens: 100 });
  const { answers, batches } = await run();
  expect(batches).toBe(3);
  expect(answers.get('request-1')).toMatchObject({
    refusal: expect.stringMatching(/100 tokens/),
    raw_instructions: '',
  });
  expect(teacher.counts().batch.answered).toBe(0);
});
