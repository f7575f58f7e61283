/** The engine on TensorFlow, with tiny models of random weights. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJsonLines } from '../../../src/core/read-json.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { listedQuestion } from '../../../src/datasets/question-text.ts';
import { readAdapter, writeAdapter } from '../../../src/model/files/adapter.ts';
import { readModelDirectory } from '../../../src/model/files/model-directory.ts';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import type {
  ChatTurn,
  Engine,
  GeneratedToken,
  GenerationEnd,
  GenerationRequest,
} from '../../../src/serving/engine.ts';
import { openTensorflowEngine } from '../../../src/serving/tensorflow/open-engine.ts';
import { evaluationAnswerSchema } from '../../../src/trainer/job-files.ts';
import { conversationSequence } from '../../../src/trainer/jobs/conversation.ts';
import { evaluate } from '../../../src/trainer/jobs/evaluate/evaluate.ts';
import { finetune } from '../../../src/trainer/jobs/finetune/finetune.ts';
import { generateTexts } from '../../../src/trainer/jobs/generate-text.ts';
import { merge } from '../../../src/trainer/jobs/merge/merge.ts';
import { promptIds, promptOf, promptSettings, trainingSequence } from '../../../src/trainer/jobs/sequence.ts';
import type { FinetuneJob } from '../../../src/trainer/protocol.ts';
import { recordingReporter, tinyFinetune } from '../../helpers/jobs.ts';
import { type TinyMixture, writeAsked, writeTinyMixture, writeTinyModel } from '../../helpers/tiny-model.ts';
import { trainedPartsFolder } from '../../helpers/trained-parts.ts';

const NAME = 'tiny';
const usual = { model: NAME, maxTokens: 12, temperature: 0, topP: 1, stop: [], seed: 1 };

interface Answer extends GenerationEnd {
  text: string;
  tokens: GeneratedToken[];
}

async function answerOf(engine: Engine, request: GenerationRequest, signal?: AbortSignal): Promise<Answer> {
  const stream = engine.generate(request, signal);
  const tokens: GeneratedToken[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { ...next.value, tokens, text: tokens.map(({ text }) => text).join('') };
    tokens.push(next.value);
  }
}

const words = (text: string): ChatTurn => ({ role: 'user', content: [{ type: 'text', text }] });
const about = (image: Uint8Array, text: string): ChatTurn => ({
  role: 'user',
  content: [
    { type: 'image', image },
    { type: 'text', text },
  ],
});

describe.each(['minigpt4', 'llava'] as const)('a tiny %s', (family) => {
  let folder: string;
  let model: string;
  let mixture: TinyMixture;
  let engine: Engine;
  let images: Buffer[];
  const open = (changes: object = {}) =>
    openTensorflowEngine({ kind: 'serve', model, name: NAME, adapters: {}, slots: 4, capacity: 300, ...changes });

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'engine-'));
    model = path.join(folder, 'model');
    await writeTinyModel(model, { family });
    mixture = await writeTinyMixture(path.join(folder, 'mixture'), 40);
    images = await Promise.all(mixture.samples.map(({ image }) => readFile(image)));
    engine = await open();
  });
  afterAll(async () => {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('writes what evaluation writes for the same questions', async () => {
    const requests = mixture.samples.slice(0, 4).map(({ id, prompt, image }) => ({ id, prompt, image }));
    const settings = { strategy: { kind: 'greedy' }, maximumNewTokens: usual.maxTokens } as const;
    const expected = await generateTexts(model, requests, settings);
    const found = await Promise.all(
      requests.map(({ prompt }, index) =>
        answerOf(engine, { ...usual, turns: [about(images[index] as Buffer, listedQuestion(prompt))] }),
      ),
    );
    expect(found.map(({ text }) => text.trim())).toEqual(expected.map(({ text }) => text.trim()));
    expect(found.map(({ finish }) => finish)).toEqual(
      expected.map(({ finish }) => (finish === 'length' ? 'length' : 'stop')),
    );
  });

  test('writes what evaluation writes about several images', async () => {
    const [first, second, third] = mixture.samples.map(({ image }) => image) as [string, string, string];
    const asked = { id: '0', prompt: 'Which of them is red?', image: first, laterImages: [second, third] };
    const settings = { strategy: { kind: 'greedy' }, maximumNewTokens: usual.maxTokens } as const;
    const [expected] = await generateTexts(model, [asked], settings);
    const shown = images.slice(0, 3).map((image) => ({ type: 'image', image }) as const);
    const content = [...shown, { type: 'text', text: listedQuestion(asked.prompt) } as const];
    const { text } = await answerOf(engine, { ...usual, turns: [{ role: 'user', content }] });
    expect(text.trim()).toBe(expected?.text.trim());
  });

  test('reads the tokens of training: of a question, of a conversation, with its images', async () => {
    const tokenizer = await loadTokenizer(model);
    const directory = await readModelDirectory(model);
    const settings = promptSettings(directory, tokenizer);
    await directory.close();
    for (const [index, { prompt, answer }] of mixture.samples.slice(0, 6).entries()) {
      const asked = promptOf(prompt, settings, 1);
      const turns = [about(images[index] as Buffer, prompt)];
      const { ids } = await engine.promptLogprobs({ model: NAME, turns });
      expect(ids).toEqual((await promptIds(asked, settings)).ids);
      const answered: ChatTurn[] = [...turns, { role: 'assistant', content: [{ type: 'text', text: answer }] }];
      const whole = await engine.promptLogprobs({ model: NAME, turns: answered });
      expect(whole.ids).toEqual((await trainingSequence(asked, answer, { ...settings, maximumTokens: 9999 })).tokenIds);
      const open = await engine.promptLogprobs({ model: NAME, turns: answered, openEnd: true });
      expect(open.tokens.join('') + settings.form.endMark).toBe(whole.tokens.join(''));
    }
    const image = mixture.samples[0]?.image as string;
    const conversation = [
      { role: 'system', content: [{ text: 'Be brief.' }] },
      { role: 'user', content: [{ image }, { image }, { text: 'What is it? <image> <ImageHere> </s>' }] },
      { role: 'assistant', content: [{ text: 'a red circle ###' }] },
      { role: 'user', content: [{ text: 'And its size?' }] },
      { role: 'assistant', content: [{ text: 'small' }] },
    ] as const;
    const trained = await conversationSequence(structuredClone(conversation) as never, {
      ...settings,
      maximumTokens: 9999,
    });
    const turns = conversation.map(({ role, content }) => ({
      role,
      content: content.map((part) =>
        'text' in part
          ? { type: 'text' as const, text: part.text }
          : { type: 'image' as const, image: images[0] as Buffer },
      ),
    }));
    expect((await engine.promptLogprobs({ model: NAME, turns })).ids).toEqual(trained.tokenIds);
  });

  test('writes the same text alone and beside others, greedily and drawn', { timeout: 300_000 }, async () => {
    const random = seededRandom(`together-${family}`);
    const requests = Array.from({ length: 40 }, (): GenerationRequest => {
      const question = Array.from({ length: 1 + random.integer(30) }, () =>
        random.pick(['red', 'circle', 'what', '?', 'How many', 'é']),
      );
      const turn = words(question.join(' '));
      return {
        ...usual,
        turns: [random.integer(2) === 0 ? turn : about(random.pick(images), question.join(' '))],
        maxTokens: 1 + random.integer(40),
        temperature: random.pick([0, 0.7, 1, 2]),
        topP: random.pick([1, 0.9, 0.5]),
        seed: random.integer(1000),
        stop: random.pick([[], ['e'], ['th', '\n']]),
        ...(random.integer(2) === 0 && { topLogprobs: random.integer(5) }),
      };
    });
    const alone: Answer[] = [];
    for (const request of requests) alone.push(await answerOf(engine, request));
    const together = await Promise.all(requests.map((request) => answerOf(engine, request)));
    const plain = ({ text, finish, promptTokens, completionTokens, tokens }: Answer) => ({
      ...{ text, finish, promptTokens, completionTokens },
      ids: tokens.map(({ id }) => id),
    });
    expect(together.map(plain)).toEqual(alone.map(plain));
    expect(new Set(together.map(({ text }) => text)).size).toBeGreaterThan(20);
    for (const [index, { tokens }] of together.entries()) {
      const count = requests[index]?.topLogprobs;
      for (const [place, { logprob, top }] of tokens.entries()) {
        const other = alone[index]?.tokens[place];
        if (count === undefined) expect([logprob, top]).toEqual([undefined, undefined]);
        else expect(Math.abs((logprob as number) - (other?.logprob as number))).toBeLessThan(1e-4);
        expect(top?.length).toBe(count);
      }
    }
  });

  test('the same request has the same answer, another seed another one', async () => {
    const request = { ...usual, turns: [words('What is it?')], temperature: 1, maxTokens: 30 };
    const [one, again, other] = await Promise.all([1, 1, 2].map((seed) => answerOf(engine, { ...request, seed })));
    expect(again?.text).toBe(one?.text);
    expect(other?.text).not.toBe(one?.text);
  });

  test('gives the log-probabilities of the model: their means are the losses that evaluation ranks by', async () => {
    const [sample] = mixture.samples;
    const answers = ['The answer is (A) red', 'The answer is (B) a blue circle'];
    const file = path.join(folder, 'ranked.jsonl');
    const asked = {
      question_id: '0',
      image: sample?.image as string,
      question: sample?.prompt as string,
      answerStart: '',
      answers,
    };
    await writeAsked(file, [asked]);
    const output = path.join(folder, 'ranked-answers.jsonl');
    await evaluate({ model, questions: file, batchSize: 1, output }, recordingReporter());
    const losses = (await readJsonLines(output, evaluationAnswerSchema))[0]?.losses ?? [];
    const turns = [about(images[0] as Buffer, asked.question)];
    const start = (await engine.promptLogprobs({ model: NAME, turns })).ids.length;
    for (const [index, answer] of answers.entries()) {
      const { logprobs, tokens } = await engine.promptLogprobs({
        model: NAME,
        turns: [...turns, { role: 'assistant', content: [{ type: 'text', text: answer }] }],
      });
      const end = family === 'llava' ? 1 : await endLength();
      const own = logprobs.slice(start, logprobs.length - end) as number[];
      expect(-own.reduce((sum, value) => sum + value, 0) / own.length).toBeCloseTo(losses[index] as number, 4);
      expect(tokens).toHaveLength(logprobs.length);
      expect(logprobs[0]).toBeNull();
      expect(logprobs.filter((value) => value === null)).toHaveLength(1 + 4);
    }
    async function endLength(): Promise<number> {
      return (
        (await (await loadTokenizer(model)).encode('a###')).length -
        (await (await loadTokenizer(model)).encode('a')).length
      );
    }
  });

  test('a canceled request leaves its slot to one that waits', async () => {
    const small = await open({ slots: 1 });
    const abort = new AbortController();
    const long = answerOf(
      small,
      { ...usual, turns: [words('Tell me')], maxTokens: 200, temperature: 3, stop: [] },
      abort.signal,
    );
    const waiting = answerOf(small, { ...usual, turns: [words('What is it?')] });
    const gone = answerOf(small, { ...usual, turns: [words('Never read')] }, AbortSignal.timeout(1));
    setTimeout(() => abort.abort(new Error('enough')), 50);
    await Promise.all([expect(long).rejects.toThrow('enough'), expect(gone).rejects.toThrow('timeout')]);
    expect((await waiting).text).toBe((await answerOf(engine, { ...usual, turns: [words('What is it?')] })).text);
    // Who stops reading cancels too.
    const stream = small.generate({ ...usual, turns: [words('Tell me')], maxTokens: 200, temperature: 3 });
    await stream.next();
    await stream.return({ finish: 'stop', promptTokens: 0, completionTokens: 0 });
    expect((await answerOf(small, { ...usual, turns: [words('What is it?')] })).completionTokens).toBeGreaterThan(0);
    await small.close();
    await expect(answerOf(small, { ...usual, turns: [words('late')] })).rejects.toThrow('closed');
  });

  test('serves adapters by name beside the model, in one batch; each writes what its merged model writes', {
    timeout: 300_000,
  }, async () => {
    const adapters: Record<string, string> = {};
    const merged: Record<string, string> = {};
    const vision = family === 'llava' ? ['q_proj'] : ['qkv', 'query'];
    const trained: [string, number, FinetuneJob['lora']['targetModules'], FinetuneJob['trainable']?][] = [
      ['one', 4, ['q_proj', 'v_proj', 'down_proj']],
      ['two', 2, ['k_proj', 'o_proj', 'up_proj']],
      ['three', 3, { language: ['v_proj'], vision }, ['projection']],
    ];
    for (const [name, rank, targetModules, trainable] of trained) {
      adapters[name] = path.join(folder, name);
      merged[name] = path.join(folder, `${name}-merged`);
      const job = tinyFinetune(model, mixture, adapters[name], {
        lora: { rank, alpha: 64, dropout: 0, targetModules },
        trainable,
        learningRate: { initial: 0.05, peak: 0.05, final: 0.05, warmupSteps: 0 },
        seed: rank,
      });
      await finetune(job, recordingReporter());
      const parity = { samples: mixture.samplesFile, count: 0, tolerance: 1 };
      await merge({ model, adapter: adapters[name], output: merged[name], parity }, recordingReporter());
    }
    const served = await open({ adapters });
    expect(served.models).toEqual([NAME, 'one', 'two', 'three']);
    const turns = [about(images[0] as Buffer, 'What is it?')];
    const [base, ...answers] = await Promise.all(
      served.models.map((name) => answerOf(served, { ...usual, model: name, turns })),
    );
    expect(base?.text).toBe((await answerOf(engine, { ...usual, turns })).text);
    for (const [place, [name]] of trained.entries()) {
      const found = answers[place];
      const other = await open({ model: merged[name] });
      expect(found?.text).toBe((await answerOf(other, { ...usual, turns })).text);
      expect(found?.text).not.toBe(base?.text);
      const logprobs = (await other.promptLogprobs({ model: NAME, turns })).logprobs;
      const unmerged = (await served.promptLogprobs({ model: name, turns })).logprobs;
      for (const [place, value] of logprobs.entries()) {
        if (value === null) expect(unmerged[place]).toBeNull();
        else expect(Math.abs((unmerged[place] as number) - value)).toBeLessThan(1e-3);
      }
      await other.close();
    }
    await served.close();
  });

  test('takes an adapter of DoRA merged only, and whole weights of this model only', async () => {
    const recorded = family === 'llava' ? 'tiny-llava' : 'tiny-blip2';
    const dora = path.join(trainedPartsFolder, `${recorded}-dora-of-language/end`);
    await expect(open({ adapters: { dora } })).rejects.toThrow(
      'use_dora: is not served beside other adapters: its magnitudes scale whole weights',
    );
    const other = path.join(folder, 'other');
    await cp(path.join(trainedPartsFolder, `${recorded}-projection/end`), other, { recursive: true });
    const { config, tensors } = await readAdapter(other);
    const saved = new Map([['nothing.weight', { shape: [1], data: new Float32Array(1) }]]);
    await writeAdapter(other, { config: { ...config, modules_to_save: ['nothing'] }, tensors, saved });
    await expect(open({ adapters: { other } })).rejects.toThrow('nothing.weight: is not in the base model');
  });

  test('says by name what it does not take', async () => {
    const rejects = (request: Partial<GenerationRequest>, message: string) =>
      expect(answerOf(engine, { ...usual, turns: [words('?')], ...request })).rejects.toThrow(message);
    await rejects({ model: 'other' }, 'other: model: is no model that is served. Take one of tiny');
    await rejects({ turns: [] }, 'messages[0]: is no question of the user');
    await rejects(
      { turns: [words('a'), words('b')] },
      'messages[1]: is of the user, where one of the assistant is expected',
    );
    await rejects({ turns: [words('word '.repeat(400))] }, 'prompt and answer together may have 300');
    await rejects({ turns: [about(Buffer.from('no image'), '?')] }, 'image in memory');
    const { finish, completionTokens, promptTokens } = await answerOf(engine, {
      ...usual,
      turns: [words('word '.repeat(40))],
      maxTokens: 5000,
      temperature: 5,
    });
    expect(completionTokens + promptTokens <= 300 || finish === 'stop').toBe(true);
  });
});
