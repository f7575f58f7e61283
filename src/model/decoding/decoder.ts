/**
 * The two traced functions of decoding: `prefill` reads whole prompts and `step` one more token of each sequence.
 * Keys and values of what was read stay in the session's variables, so that a step computes only what is new.
 *
 * Prompts are padded on the left: all sequences of a batch then write their newest token to the same slot.
 */
import { headSize, type LlamaConfig } from '../files/llama.ts';
import { causalMask, HIDDEN } from '../layers/attention.ts';
import { gatherRows, selectRows } from '../layers/embedding.ts';
import { rotaryFrequencies, rotaryTables } from '../layers/rotary-embedding.ts';
import { embedTokens, type LlamaInput, llama } from '../llama.ts';
import { placeImage } from '../multimodal.ts';
import type { Ops } from '../ops/ops.ts';
import type { Program } from '../ops/program.ts';
import type { Weights } from '../ops/tape.ts';
import { frozen, Tape } from '../ops/tape.ts';
import type { Value } from '../ops/value.ts';
import { type CacheShape, KeyValueCache } from './key-value-cache.ts';
import type { Strategy } from './settings.ts';

const PROMPT_STEP = 16;

export interface DecoderPlan {
  /** Prompts read at once. */
  batch: number;
  /** Lengths of the prompts to come, in tokens. */
  promptLengths: readonly number[];
  maximumNewTokens: number;
  strategy: Strategy;
  /** Best continuations of each prompt to return, in beam search. */
  candidateCount: number;
  /** Embeddings an image, 0 for a language model without vision. */
  imageTokens: number;
  /** Images that a batch holds, or prompts without one. Default: one a prompt. */
  images?: number;
}

/** A prompt as ids; where it shows an image, `imageTokens` places from `imageStart` on hold its embeddings. */
export interface Prompt {
  tokenIds: readonly number[];
  /** -1 where it shows none. */
  imageStart: number;
  /** The places of further images. */
  laterImages?: readonly number[];
}

/** What the strategy needs to choose from; rows are sequences (greedy, sampling) or prompts (beams). */
export interface Continuations {
  /** Greedy: int32 `[rows]`, the likeliest tokens. */
  tokens?: Int32Array;
  /** Sampling: float32 `[rows, vocabulary]`. */
  logits?: Float32Array;
  /** Beams: float32 `[batch, candidateCount]`, sums of log probabilities, highest first. */
  scores?: Float32Array;
  /** Beams: int32 `[batch, candidateCount]`, `beam * vocabulary + token`. */
  indices?: Int32Array;
}

export interface Decoder {
  /**
   * Starts a batch.
   *
   * @param images float32 `[images * imageTokens, hidden]`: those of the prompts one after another, of one without any an empty one
   */
  prefill(prompts: readonly Prompt[], images?: Float32Array): Continuations;
  /**
   * Appends one token to each sequence.
   *
   * @param tokens int32 `[batch * beams]`
   * @param beams for beam search: the row each sequence continues, and its score
   */
  step(tokens: Int32Array, beams?: { parents: Int32Array; scores: Float32Array }): Continuations;
}

/** The length that a prompt is padded to: few lengths, so that few functions are traced. */
function paddedLength(promptLength: number): number {
  return Math.ceil(promptLength / PROMPT_STEP) * PROMPT_STEP;
}

/** Traces decoding into a program that is not loaded yet. */
export function traceDecoder(
  program: Program,
  weights: Weights,
  config: { text_config: LlamaConfig },
  plan: DecoderPlan,
): Decoder {
  const { batch, strategy, imageTokens, maximumNewTokens, images: imageCount = batch } = plan;
  const text = config.text_config;
  const size = headSize(text);
  const beams = strategy.kind === 'beam' ? strategy.beams : 1;
  const rows = batch * beams;
  const lengths = [...new Set(plan.promptLengths.map(paddedLength))];
  const capacity = Math.max(...lengths) + maximumNewTokens;
  const shape: CacheShape = { rows, heads: text.num_key_value_heads, capacity, headSize: size };
  const cache = new KeyValueCache(program, shape, text.num_hidden_layers);
  const tables = positionTables(text, capacity);

  for (const tokens of lengths) {
    const textInputs = {
      tokenIds: { shape: [batch * tokens], dataType: 'int32' },
      padding: { shape: [batch], dataType: 'int32' },
    } as const;
    const imageInputs = {
      isImage: { shape: [batch * tokens, 1], dataType: 'bool' },
      imageRows: { shape: [batch * tokens], dataType: 'int32' },
      images: { shape: [imageCount * imageTokens, text.hidden_size], dataType: 'float32' },
    } as const;
    const inputs = imageTokens === 0 ? textInputs : { ...textInputs, ...imageInputs };
    program.define(`prefill-${tokens}`, inputs, (ops, values: Record<string, Value>, updates) => {
      const tape = new Tape(ops);
      const embedded = embedTokens(tape, weights, values.tokenIds as Value);
      const embeddings =
        imageTokens === 0
          ? embedded
          : selectRows(
              tape,
              values.isImage as Value,
              gatherRows(tape, frozen(values.images as Value), values.imageRows as Value),
              embedded,
            );
      const last = Int32Array.from({ length: batch }, (_, row) => (row + 1) * tokens - 1);
      const logits = llama(tape, weights, config, {
        embeddings,
        batch,
        tables: prefillTables(ops, tables, values.padding as Value, batch, tokens),
        outputs: {
          perSequence: 1,
          rows: ops.constant(last, [batch]),
          tableRows: ops.constant(last, [batch]),
        },
        cache: cache.filled(ops, updates, beams),
      });
      return choose(ops, logits.value, plan, beams === 1 ? undefined : 'first');
    });
  }

  const stepInputs = {
    tokens: { shape: [rows], dataType: 'int32' },
    padding: { shape: [rows], dataType: 'int32' },
    slot: { shape: [], dataType: 'int32' },
  } as const;
  const beamInputs = {
    parents: { shape: [rows], dataType: 'int32' },
    scores: { shape: [batch, beams], dataType: 'float32' },
  } as const;
  const inputs = strategy.kind === 'beam' ? { ...stepInputs, ...beamInputs } : stepInputs;
  program.define('step', inputs, (ops, values: Record<string, Value>, updates) => {
    const tape = new Tape(ops);
    const each = ops.constant(
      Int32Array.from({ length: rows }, (_, row) => row),
      [rows],
    );
    const slot = values.slot as Value;
    const logits = llama(tape, weights, config, {
      embeddings: embedTokens(tape, weights, values.tokens as Value),
      batch: rows,
      tables: stepTables(ops, tables, values.padding as Value, slot, shape),
      outputs: { perSequence: 1, rows: each, tableRows: each },
      cache: cache.extended(ops, updates, slot, values.parents),
    });
    return choose(ops, logits.value, plan, values.scores);
  });

  let padding = new Int32Array(rows);
  let slot = 0;
  return {
    prefill(prompts, images) {
      const tokens = paddedLength(Math.max(...prompts.map(({ tokenIds }) => tokenIds.length)));
      const laidOut = layOut(prompts, batch, tokens, imageTokens);
      padding = Int32Array.from({ length: rows }, (_, row) => laidOut.padding[Math.floor(row / beams)] as number);
      slot = tokens;
      const { tokenIds, padding: left, isImage, imageRows } = laidOut;
      const shown = images ?? new Float32Array(imageCount * imageTokens * text.hidden_size);
      const feeds = { tokenIds, padding: left, isImage, imageRows, images: shown };
      return program.run(`prefill-${tokens}`, feeds) as Continuations;
    },
    step(tokens, beamed) {
      if (slot >= capacity) throw new Error(`the cache holds ${capacity} tokens`);
      return program.run('step', { tokens, padding, slot: Int32Array.of(slot++), ...beamed }) as Continuations;
    },
  };
}

/** Tokens against the right edge; a row without a prompt (the last batch) is one padding token. */
function layOut(prompts: readonly Prompt[], batch: number, tokens: number, imageTokens: number) {
  const tokenIds = new Int32Array(batch * tokens);
  const isImage = new Uint8Array(batch * tokens);
  const imageRows = new Int32Array(batch * tokens);
  const padding = new Int32Array(batch).fill(tokens - 1);
  let image = 0;
  prompts.forEach((prompt, row) => {
    const { imageStart, laterImages = [] } = prompt;
    const left = tokens - prompt.tokenIds.length;
    padding[row] = left;
    tokenIds.set(prompt.tokenIds, row * tokens + left);
    for (const [shown, start] of [imageStart, ...laterImages].entries()) {
      if (start >= 0) placeImage({ isImage, imageRows }, row * tokens + left + start, image + shown, imageTokens);
    }
    image += 1 + laterImages.length;
  });
  return { tokenIds, isImage, imageRows, padding };
}

interface PositionTables {
  /** float32 `[capacity, headSize / 2]` */
  cosine: Float32Array;
  sine: Float32Array;
  shape: [number, number];
}

function positionTables(text: LlamaConfig, capacity: number): PositionTables {
  const size = headSize(text);
  const positions = Int32Array.from({ length: capacity }, (_, position) => position);
  const frequencies = rotaryFrequencies(size, text.rope_theta, text.rope_scaling);
  return { ...rotaryTables(positions, frequencies), shape: [capacity, size / 2] };
}

function rotation(ops: Ops, tables: PositionTables, positions: Value): { cosine: Value; sine: Value } {
  return {
    cosine: ops.gather(ops.constant(tables.cosine, tables.shape), positions),
    sine: ops.gather(ops.constant(tables.sine, tables.shape), positions),
  };
}

const counting = (ops: Ops, length: number, shape: readonly number[]) =>
  ops.constant(
    Int32Array.from({ length }, (_, index) => index),
    shape,
  );

/** Positions count from the first real token; a token sees itself and the real ones before it. */
function prefillTables(
  ops: Ops,
  tables: PositionTables,
  padding: Value,
  batch: number,
  tokens: number,
): LlamaInput['tables'] {
  const zero = ops.constant(Int32Array.of(0), []);
  const distance = ops.subtract(counting(ops, tokens, [1, tokens]), ops.reshape(padding, [batch, 1]));
  const positions = ops.select(ops.greaterEqual(distance, zero), distance, zero);
  // A row that sees nothing would be a softmax over nothing: padding sees itself.
  const itself = Int32Array.from({ length: tokens * tokens }, (_, place) =>
    Math.floor(place / tokens) === place % tokens ? tokens : place % tokens,
  );
  const isReal = ops.greaterEqual(ops.constant(itself, [1, tokens, tokens]), ops.reshape(padding, [batch, 1, 1]));
  const mask = ops.select(isReal, ops.constant(causalMask(tokens), [1, tokens, tokens]), ops.scalar(HIDDEN));
  return {
    ...rotation(ops, tables, ops.reshape(positions, [batch * tokens])),
    mask: ops.reshape(mask, [batch * tokens, tokens]),
  };
}

function stepTables(
  ops: Ops,
  tables: PositionTables,
  padding: Value,
  slot: Value,
  { rows, capacity }: CacheShape,
): LlamaInput['tables'] {
  const slots = counting(ops, capacity, [1, capacity]);
  const [visible, hidden] = [ops.scalar(0), ops.scalar(HIDDEN)];
  const upToNow = ops.select(ops.greaterEqual(slot, slots), visible, hidden);
  const isReal = ops.greaterEqual(slots, ops.reshape(padding, [rows, 1]));
  return {
    ...rotation(ops, tables, ops.subtract(ops.reshape(slot, [1]), padding)),
    mask: ops.select(isReal, upToNow, hidden),
  };
}

/**
 * What is read of the logits `[rows, vocabulary]`.
 *
 * @param scores of the beams, `[batch, beams]`; `first` when there is one row a prompt, before beams part
 */
function choose(
  ops: Ops,
  logits: Value,
  { batch, strategy, candidateCount }: DecoderPlan,
  scores?: Value | 'first',
): Record<string, Value> {
  if (strategy.kind === 'greedy') return { tokens: ops.argMax(logits) };
  if (strategy.kind === 'sample') return { logits };
  const vocabulary = logits.shape[1] as number;
  const logProbabilities = ops.logSoftmax(logits);
  if (scores === 'first' || scores === undefined) return best(ops, logProbabilities, candidateCount);
  const apart = ops.reshape(logProbabilities, [batch, strategy.beams, vocabulary]);
  const sums = ops.add(apart, ops.reshape(scores, [batch, strategy.beams, 1]));
  return best(ops, ops.reshape(sums, [batch, strategy.beams * vocabulary]), candidateCount);
}

function best(ops: Ops, values: Value, count: number): Record<string, Value> {
  const [scores, indices] = ops.topK(values, count);
  return { scores, indices };
}
