import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { writeGenerationRun } from '../../bench/support/generation-run.ts';
import { generate } from '../../src/round/generate/generate.ts';
import type { Progress } from '../../src/trainer/protocol.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

test('while a teacher is waited for, the last error shows and when the next try is', async () => {
  let failures = 2;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      failures -= 1;
      const isDown = failures >= 0;
      const message = { role: 'assistant', content: 'Skip: nothing to ask' };
      const usage = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 };
      const body = isDown
        ? { error: { message: 'loading the model' } }
        : {
            id: '1',
            object: 'chat.completion',
            created: 1,
            model: 'm',
            choices: [{ index: 0, message, finish_reason: 'stop' }],
            usage,
          };
      response.writeHead(isDown ? 503 : 200, { 'content-type': 'application/json', 'retry-after': '1' });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const teacher = { provider: 'openai', model: 'm', baseUrl, concurrency: 1 };
  const context = await writeGenerationRun(await temporaryFolder(), 2, teacher);
  const seen: Progress[] = [];

  const retries: unknown[] = [];

  const { answers } = await generate({
    ...context,
    onProgress: (progress) => seen.push(progress),
    onRetry: (retry) => retries.push(retry),
  });
  expect(answers).toBe(2);
  const phases = seen.flatMap(({ phase }) => phase ?? []);
  expect(phases).toContain('after: The teacher failed: 503 loading the model');
  expect(retries).toEqual([
    { problem: expect.stringMatching(/^2 of 2 requests are still unanswered: .*loading/), seconds: 1, attempt: 2 },
  ]);
  // Once it answers, nothing is waited for.
  expect(seen.at(-1)).toMatchObject({ step: 2, steps: 2 });
  expect(seen.at(-1)?.phase).toBeUndefined();
}, 60_000);
