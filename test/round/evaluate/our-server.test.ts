/** One model, one answer: our server's losses and texts are those of the trainer that scores the same directory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { evaluateEndpoint } from '../../../src/round/evaluate/evaluate-endpoint.ts';
import { evaluateModel } from '../../../src/round/evaluate/evaluate-model.ts';
import { type ChatServer, serveChat } from '../../../src/serving/chat-server.ts';
import type { Engine } from '../../../src/serving/engine.ts';
import { startEngine } from '../../../src/serving/start-engine.ts';
import { evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { type TinyQuestions, writeTinyModel, writeTinyQuestions } from '../../helpers/tiny-model.ts';
import { answersIn, input, setOf } from './endpoint-inputs.ts';

describe('our server', { timeout: 180_000 }, () => {
  let folder: string;
  let tiny: TinyQuestions;
  let engine: Engine;
  let server: ChatServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'our-server-'));
    await writeTinyModel(join(folder, 'model'));
    tiny = await writeTinyQuestions(join(folder, 'data'), 6);
    engine = await startEngine({ model: join(folder, 'model') });
    server = await serveChat(engine, {
      ...{ host: '127.0.0.1', port: 0, mostAnswers: 64, bodyBytes: 8_000_000, imagePixels: 1_000_000 },
      ...{ defaultMaxTokens: 100, report: () => undefined },
    });
  }, 120_000);
  afterAll(async () => {
    await server?.close(0);
    await engine?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('of a request that is larger than the server takes, the error names image and limit', async () => {
    const small = await serveChat(engine, {
      ...{ host: '127.0.0.1', port: 0, mostAnswers: 64, bodyBytes: 600_000, imagePixels: 1_000_000 },
      ...{ defaultMaxTokens: 100, report: () => undefined },
    });
    try {
      const endpoint = { url: `${small.address}v1`, requestTimeoutSeconds: 60 };
      const image = join(await temporaryFolder(), 'noise.png');
      const noise = { type: 'gaussian', mean: 128, sigma: 50 } as const;
      await sharp({ create: { width: 700, height: 700, channels: 3, background: '#000', noise } }).toFile(image);
      const set = setOf(tiny, { imageFile: async () => image });
      const asking = input(endpoint.url, set, { endpoint });
      await expect(asking.then(evaluateEndpoint)).rejects.toMatchObject({
        name: 'InputError',
        message: expect.stringMatching(
          /noise\.png: the endpoint takes no request as large as .*600000 bytes.*--max-body-mib/,
        ),
      });
    } finally {
      await small.close(0);
    }
  });

  test.each([
    ['with images', false],
    ['without', true],
  ])('%s', async (_, blind) => {
    const set = setOf(tiny, { answerMode: 'generated', blind });
    const output = await temporaryFolder();
    const scored = await evaluateModel({
      set,
      model: join(folder, 'model'),
      output,
      batchSize: 4,
      numberFormats: { computeDtype: 'float32', weightDtype: 'float32' },
      bootstrap: { samples: 100, seed: 1 },
      context: {
        config: { temporal: { stallTimeoutSeconds: 600 } },
        onProgress: () => undefined,
        signal: new AbortController().signal,
      },
    });
    const own = await readJsonLines(join(output, 'ranking', 'losses.jsonl'), evaluationAnswerSchema);
    const url = `${server.address}v1`;
    const endpoint = { url, requestTimeoutSeconds: 60 };
    const served = await evaluateEndpoint(await input(url, set, { endpoint }));
    expect(served.scores.ranking).toBe('prompt-logprobs');
    const theirs = await answersIn(served.folder);
    for (const [index, { losses, text }] of own.entries()) {
      expect(theirs[index]?.text).toBe(text);
      expect(theirs[index]?.losses).toEqual(losses.map((loss) => expect.closeTo(loss, 3)));
    }
    expect(served.scores.measures).toEqual(scored.measures);
  });
});
