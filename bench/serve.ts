/**
 * Serving at SmolLM2-135M's size on the CPU, float32: our engine against `generate` of transformers, greedily, one stream and a
 * batch of eight prompts of different lengths, in turns, on the same number of threads; and eight streams at the server against one.
 * Times are of whole answers, from the request to the last token, reading the prompt included.
 *
 * Usage: npm run bench:serve [-- --repeats 7 --tokens 96 --threads N --python PATH]
 */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/core/seeded-random.ts';
import { writeJson } from '../src/core/write-file.ts';
import { miniGpt4PromptForm } from '../src/model/families/minigpt4/prompt.ts';
import { blipProcessorConfig } from '../src/model/images/processor-config.ts';
import { trainTokenizer, writeTokenizer } from '../src/model/text/train-tokenizer.ts';
import { serveChat } from '../src/serving/chat-server.ts';
import type { ChatTurn } from '../src/serving/engine.ts';
import { startEngine } from '../src/serving/start-engine.ts';
import { benchModel, vocabularyOf } from './pytorch/models.ts';
import { startSide } from './pytorch/side.ts';
import { findPyTorch } from './pytorch/sides.ts';
import { median } from './support/statistics.ts';

const STREAMS = 8;
/** Words of the prompts. */
const [SHORTEST, LONGEST] = [10, 30];
const CAPACITY = 256;
const WARM_UP = 1;
/** The two must write the same for their times to be comparable; later tokens may part where two logits are as good as equal. */
const SAME_TOKENS = 4;

const { values: flags } = parseArgs({
  options: {
    repeats: { type: 'string', default: '7' },
    tokens: { type: 'string', default: '96' },
    python: { type: 'string' },
    threads: { type: 'string', default: `${availableParallelism()}` },
  },
});
const tokens = Number(flags.tokens);
const NAME = 'M';
const { model } = await benchModel('M');
await writeWords(model);
process.env.TF_NUM_INTRAOP_THREADS = flags.threads;
const engine = await startEngine({ model, name: NAME, slots: STREAMS, capacity: CAPACITY });
const python = await findPyTorch(flags.python);
const script = ['bench/pytorch/generate.py', '--model', model, '--threads', flags.threads];
const theirs = await startSide(python, script, { OMP_NUM_THREADS: flags.threads });
const server = await serveChat(engine, {
  ...{ host: '127.0.0.1', port: 0, mostAnswers: 4 * STREAMS, bodyBytes: 2 ** 20, imagePixels: 1e6 },
  ...{ defaultMaxTokens: tokens, report: (error: unknown) => console.error(error) },
});

const random = seededRandom('bench-serve');
const words = ['a', 'red', 'circle', 'what', 'is', 'left', 'of', 'the', 'dog'];
const texts = () =>
  Array.from({ length: STREAMS }, () =>
    Array.from({ length: SHORTEST + random.integer(LONGEST - SHORTEST) }, () => random.pick(words)).join(' '),
  );
const turnsOf = (text: string): ChatTurn[] => [{ role: 'user', content: [{ type: 'text', text }] }];

interface Measured {
  seconds: number;
  written: number[][];
}

async function ours(asked: readonly string[]): Promise<Measured> {
  const started = performance.now();
  const written = await Promise.all(
    asked.map(async (text) => {
      const ids: number[] = [];
      const settings = { maxTokens: tokens, temperature: 0, topP: 1, stop: [], seed: 1 };
      for await (const { id } of engine.generate({ model: NAME, turns: turnsOf(text), ...settings })) ids.push(id);
      return ids;
    }),
  );
  return { seconds: (performance.now() - started) / 1000, written };
}

async function atServer(asked: readonly string[]): Promise<number> {
  const started = performance.now();
  await Promise.all(
    asked.map(async (content) => {
      const body = {
        model: NAME,
        messages: [{ role: 'user', content }],
        max_tokens: tokens,
        temperature: 0,
        stream: true,
      };
      const response = await fetch(`${server.address}v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const answer = await response.text();
      if (!response.ok || !answer.includes('"finish_reason":"length"'))
        throw new Error(`the server wrote ${answer.slice(0, 500)}`);
    }),
  );
  return (performance.now() - started) / 1000;
}

/** By what is measured, seconds of each turn. */
const seconds: Record<'single' | 'batch' | 'theirSingle' | 'theirBatch' | 'oneStream' | 'eightStreams', number[]> = {
  ...{ single: [], batch: [], theirSingle: [], theirBatch: [], oneStream: [], eightStreams: [] },
};
try {
  for (let turn = 0; turn < WARM_UP + Number(flags.repeats); turn++) {
    const asked = texts();
    const prompts = await Promise.all(
      asked.map(async (text) => (await engine.promptLogprobs({ model: NAME, turns: turnsOf(text) })).ids),
    );
    const measured: Partial<Record<keyof typeof seconds, number>> = {};
    for (const [own, other, count] of [
      ['single', 'theirSingle', 1],
      ['batch', 'theirBatch', STREAMS],
    ] as const) {
      const found = await ours(asked.slice(0, count));
      const expected = await theirs.ask<Measured>({ prompts: prompts.slice(0, count), tokens });
      requireSame(found.written, expected.written);
      measured[own] = found.seconds;
      measured[other] = expected.seconds;
    }
    measured.oneStream = await atServer(asked.slice(0, 1));
    measured.eightStreams = await atServer(asked);
    if (turn < WARM_UP) continue;
    for (const [name, value] of Object.entries(measured)) seconds[name as keyof typeof seconds].push(value);
  }
} finally {
  theirs.close();
  await server.close(0);
  await engine.close();
}

function requireSame(found: number[][], expected: number[][]): void {
  for (const [stream, ids] of expected.entries()) {
    const own = found[stream] ?? [];
    const same = ids.findIndex((id, place) => own[place] !== id);
    if (own.length !== ids.length || (same >= 0 && same < Math.min(SAME_TOKENS, ids.length))) {
      throw new Error(
        `stream ${stream}: ours wrote ${own.slice(0, 8)} (${own.length}), transformers ${ids.slice(0, 8)}`,
      );
    }
  }
}

/** A tokenizer that knows each id of the model, and a preprocessor; neither is part of what is measured. */
async function writeWords(directory: string): Promise<void> {
  const tokenizer = trainTokenizer([`${miniGpt4PromptForm.turn} a red circle what is left of the dog`], 300);
  const { vocab } = tokenizer.model;
  for (let id = Object.keys(vocab).length; id < vocabularyOf('M'); id++) vocab[`word${id}`] = id;
  await writeTokenizer(directory, tokenizer, CAPACITY);
  const half = [0.5, 0.5, 0.5];
  await writeJson(path.join(directory, 'preprocessor_config.json'), blipProcessorConfig(28, half, half));
}

const ratio = (one: readonly number[], other: readonly number[]) =>
  Math.round(median(one.map((value, turn) => value / (other[turn] as number))) * 100) / 100;
const speed = (values: readonly number[], streams: number) =>
  ((tokens * streams) / median(values)).toFixed(1).padStart(8);
console.log(
  `tokens a second, median of ${flags.repeats} turns of ${tokens} tokens; ${flags.threads} threads; ${theirs.name}`,
);
console.log(`one stream        ours ${speed(seconds.single, 1)}   generate ${speed(seconds.theirSingle, 1)}`);
console.log(
  `batch of ${STREAMS}        ours ${speed(seconds.batch, STREAMS)}   generate ${speed(seconds.theirBatch, STREAMS)}`,
);
console.log(
  `server   one stream ${speed(seconds.oneStream, 1)}   ${STREAMS} streams ${speed(seconds.eightStreams, STREAMS)}`,
);
console.log(
  JSON.stringify({
    bench: 'serve',
    singleRatio: ratio(seconds.theirSingle, seconds.single),
    batchRatio: ratio(seconds.theirBatch, seconds.batch),
    throughputAt8: Math.round(ratio(seconds.oneStream, seconds.eightStreams) * STREAMS * 100) / 100,
  }),
);
