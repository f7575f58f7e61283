/** The official client of OpenAI for Python, where a Python that has it is named. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { serveWords } from './serve-words.ts';

const run = promisify(execFile);
const variable = 'OPENAI_PYTHON';
const python = process.env[variable] ?? 'python3';

test('models, answers, images, streams, scores and refusals', async (context) => {
  const hasClient = await run(python, ['-c', 'import openai']).then(
    () => true,
    () => false,
  );
  if (!hasClient) context.skip(`needs a Python with the package openai: name it in ${variable}`);
  const key = 'a-key-of-this-server';
  const { address } = await serveWords({ key });
  const image = await sharp({ create: { width: 4, height: 3, channels: 3, background: '#826' } })
    .png()
    .toBuffer();
  const url = `data:image/png;base64,${image.toString('base64')}`;
  const { stdout } = await run(python, ['test/serving/openai-client.py', address, key, url]);
  expect(JSON.parse(stdout)).toEqual({
    models: ['base', 'north'],
    texts: ['base heard "How many?"', 'base heard "How many?"'],
    finish: 'stop',
    usage: { prompt_tokens: 3, completion_tokens: 8, total_tokens: 11 },
    logprob: -0.25,
    alternatives: [' heard', ' other'],
    shown: 'base heard "What?" with 1 images: red é 🦊',
    streamed: 'base heard "How many?" with 0 images: red é 🦊',
    streamedUsage: { prompt_tokens: 3, completion_tokens: 11, total_tokens: 14 },
    scores: 5,
    badRequest: { status: 400, param: 'presence_penalty', code: 'invalid_value' },
    notFound: { status: 404, param: 'model', code: 'model_not_found' },
    wrongKey: { status: 401, param: null, code: 'invalid_api_key' },
  });
});
