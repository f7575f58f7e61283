/** The engine on PyTorch, with tiny models of random weights. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import type { ChatTurn, Engine, GeneratedToken, GenerationRequest } from '../../../src/serving/engine.ts';
import { startEngine } from '../../../src/serving/start-engine.ts';
import { evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { recordingReporter, tinyFinetune } from '../../helpers/jobs.ts';
import { type TinyMixture, writeAsked, writeTinyMixture, writeTinyModel } from '../../helpers/tiny-model.ts';
import { runTorch, TORCH_TIMEOUTS, torchIsSetUp, torchPython } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

const usual = { maxTokens: 8, temperature: 0, topP: 1, stop: [], seed: 1 };

async function answerOf(engine: Engine, request: GenerationRequest, signal?: AbortSignal) {
  const stream = engine.generate(request, signal);
  const tokens: GeneratedToken[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { ...next.value, tokens, text: tokens.map(({ text }) => text).join('') };
    tokens.push(next.value);
  }
}

function about(image: Uint8Array, text: string): ChatTurn {
  return {
    role: 'user',
    content: [
      { type: 'image', image },
      { type: 'text', text },
    ],
  };
}

const largestDifference = (one: readonly (number | null)[], other: readonly (number | null)[]) =>
  Math.max(...one.map((value, place) => Math.abs((value ?? 0) - (other[place] ?? 0))));

describe.skipIf(!torchIsSetUp).each(['minigpt4', 'llava'] as const)('a tiny %s', (family) => {
  let folder: string;
  let model: string;
  let adapter: string;
  let mixture: TinyMixture;
  let image: Buffer;
  let torch: Engine;
  let ours: Engine;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'torch-serve-'));
    model = path.join(folder, 'model');
    adapter = path.join(folder, 'adapter');
    await writeTinyModel(model, { family });
    mixture = await writeTinyMixture(path.join(folder, 'mixture'), 40);
    image = await readFile(mixture.samples[0]?.image as string);
    const learningRate = { initial: 0.05, peak: 0.05, final: 0.05, warmupSteps: 0 };
    await finetune(tinyFinetune(model, mixture, adapter, { learningRate }), recordingReporter());
    const settings = { model, name: 'base', adapters: { 'tuned.v1': adapter } };
    torch = await startEngine({ ...settings, engine: 'torch' });
    ours = await startEngine(settings);
  });
  afterAll(async () => {
    await Promise.all([torch?.close(), ours?.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  test('writes what the engine on TensorFlow writes, with its log-probabilities, with and without an adapter', async () => {
    expect(torch.models).toEqual(['base', 'tuned.v1']);
    const texts = new Set<string>();
    for (const name of torch.models) {
      const turns: ChatTurn[] = [
        about(image, 'What is it?'),
        { role: 'assistant', content: [{ type: 'text', text: 'a red circle' }] },
        { role: 'user', content: [{ type: 'text', text: 'Is it large?' }] },
      ];
      for (const asked of [turns.slice(0, 1), turns, turns.slice(2)]) {
        const request = { ...usual, model: name, turns: asked, topLogprobs: 3 };
        const [found, expected] = [await answerOf(torch, request), await answerOf(ours, request)];
        expect(found.text).toBe(expected.text);
        texts.add(found.text);
        const { finish, promptTokens, completionTokens } = found;
        expect(expected).toMatchObject({ finish, promptTokens, completionTokens });
        expect(found.tokens.map(({ id }) => id)).toEqual(expected.tokens.map(({ id }) => id));
        for (const [place, token] of found.tokens.entries()) {
          const other = expected.tokens[place] as GeneratedToken;
          expect(token.text).toBe(other.text);
          expect(Math.abs((token.logprob as number) - (other.logprob as number))).toBeLessThan(1e-3);
          expect(token.top?.map(({ text }) => text)).toEqual(other.top?.map(({ text }) => text));
        }
      }
      const whole = [...turns, { role: 'assistant', content: [{ type: 'text', text: 'no' }] } as ChatTurn];
      const scoredTexts = new Set<string>();
      for (const openEnd of [false, true]) {
        const request = { model: name, turns: whole, openEnd };
        const [found, expected] = [await torch.promptLogprobs(request), await ours.promptLogprobs(request)];
        expect(found.ids).toEqual(expected.ids);
        expect(found.tokens).toEqual(expected.tokens);
        expect(largestDifference(found.logprobs, expected.logprobs)).toBeLessThan(1e-3);
        scoredTexts.add(found.tokens.join(''));
      }
      expect(scoredTexts.size).toBe(2);
    }
    expect(texts.size).toBeGreaterThan(2);
  });

  test('draws with the seed of the request, ends at its stop texts, and cancels', async () => {
    const request = {
      ...usual,
      model: 'base',
      turns: [about(image, 'What is it?')],
      temperature: 1,
      topP: 0.95,
      maxTokens: 20,
    };
    const one = await answerOf(torch, request);
    expect((await answerOf(torch, request)).text).toBe(one.text);
    expect((await answerOf(torch, { ...request, seed: 2 })).text).not.toBe(one.text);
    const stop = one.text.slice(3, 6);
    const stopped = await answerOf(torch, { ...request, stop: [stop] });
    expect(stopped.text).toBe(one.text.slice(0, one.text.indexOf(stop)));
    expect(stopped.finish).toBe('stop');
    const abort = new AbortController();
    const stream = torch.generate({ ...request, temperature: 5, maxTokens: 300 }, abort.signal);
    await stream.next();
    abort.abort(new Error('enough'));
    await expect(stream.next().then(() => stream.next())).rejects.toThrow('enough');
    expect((await answerOf(torch, request)).text).toBe(one.text);
  });

  test('says by name what it does not take', async () => {
    const rejects = (request: Partial<GenerationRequest>, message: string) =>
      expect(
        answerOf(torch, { ...usual, model: 'base', turns: [about(image, '?')], ...request }),
      ).rejects.toMatchObject({
        name: 'InputError',
        message: expect.stringContaining(message),
      });
    await rejects({ model: 'other' }, 'other is no model that is served. Take one of base, tuned.v1');
    await rejects({ turns: [about(Buffer.from('no image'), '?')] }, 'is cut short or not an image');
    await rejects({ turns: [about(image, 'a'), about(image, 'b')] }, 'messages[1]: is of the user');
    await rejects({ turns: [about(image, 'word '.repeat(900))] }, 'Ask for less');
  });
});

describe.skipIf(!torchIsSetUp).each(['qwen2_5_vl', 'llava_onevision'] as const)('a tiny %s', (kind) => {
  let folder: string;
  let model: string;
  let mixture: TinyMixture;
  let engine: Engine;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'torch-serve-'));
    model = path.join(folder, 'model');
    await torchPython('make-chat-model.py', kind, model);
    mixture = await writeTinyMixture(path.join(folder, 'mixture'), 40);
    engine = await startEngine({ model });
  });
  afterAll(async () => {
    await engine?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('writes and ranks as evaluation does: the same texts, the same losses', async () => {
    const asked = mixture.samples.slice(0, 3).map(({ id, image, prompt, answer }) => ({
      ...{ question_id: id, image, question: prompt, answerStart: '', answers: [answer, 'a cat'] },
      generate: { question: prompt, maximumNewTokens: usual.maxTokens },
    }));
    const file = path.join(folder, 'asked.jsonl');
    const output = path.join(folder, 'answers.jsonl');
    await writeAsked(file, asked);
    await runTorch({ kind: 'evaluate', model, questions: file, batchSize: 2, output }, folder, { processes: 1 });
    const expected = await readJsonLines(output, evaluationAnswerSchema);
    for (const [index, { image, question, answers }] of asked.entries()) {
      const turns = [about(await readFile(image), question)];
      const { text } = await answerOf(engine, { ...usual, model: 'model', turns });
      expect(text.trim()).toBe(expected[index]?.text);
      const start = (await engine.promptLogprobs({ model: 'model', turns })).ids;
      for (const [number, answer] of answers.entries()) {
        const answered: ChatTurn[] = [...turns, { role: 'assistant', content: [{ type: 'text', text: answer }] }];
        const { ids, logprobs } = await engine.promptLogprobs({ model: 'model', turns: answered });
        expect(ids.slice(0, start.length - 1)).toEqual(start.slice(0, -1));
        const open = await engine.promptLogprobs({ model: 'model', turns: answered, openEnd: true });
        expect(open.ids).toEqual(ids.slice(0, -1));
        // One token ends an answer in these templates.
        const own = logprobs.slice(start.length, -1) as number[];
        expect(-own.reduce((sum, value) => sum + value, 0) / own.length).toBeCloseTo(
          expected[index]?.losses[number] as number,
          3,
        );
      }
    }
  });
});
