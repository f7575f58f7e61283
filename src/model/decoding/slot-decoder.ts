/**
 * Decoding of requests that come and go: slots of a key-value cache of fixed capacity, each for one sequence.
 *
 * Prompts are read into their slots in chunks (`slot-prompts.ts`); a step reads one more token of each of the first slots,
 * whatever their lengths. Slots and positions are inputs of the traced functions, so that few functions serve all lengths.
 */
import { headSize, type LlamaConfig } from '../files/llama.ts';
import { HIDDEN } from '../layers/attention.ts';
import { selectRows } from '../layers/embedding.ts';
import { rotaryFrequencies, rotaryTables } from '../layers/rotary-embedding.ts';
import { type Adapters, embedTokens, type LayerCache, type LlamaInput, llama } from '../llama.ts';
import type { Ops } from '../ops/ops.ts';
import type { Program, Updates } from '../ops/program.ts';
import { frozen, Tape, type Weights } from '../ops/tape.ts';
import { sizeOf, type Value } from '../ops/value.ts';
import {
  type Chunk,
  type ChunkShape,
  chunkFeeds,
  chunkShapes,
  chunksAlone,
  chunksTogether,
  type SlotPrompt,
  type SlotRead,
} from './slot-prompts.ts';

/** Rows of logits, up to which a batch of one product is faster than a product. */
const MOST_BATCHED = 16;
/** A slot's rows are aligned in memory for slots to be taken apart without a copy. */
const ALIGNMENT = 16;

export interface SlotPlan {
  slots: number;
  /** Tokens of prompt and answer together, in each slot. */
  capacity: number;
  /** Makes the adapters of the traced functions, of which each sequence takes one: `chosen` is int32 `[sequences]`. */
  adapters?: ((chosen: Value) => Adapters) | undefined;
  /** Finds several matrices as one (`LlamaInput`). */
  joined?: LlamaInput['joined'];
}

/** What a step reads in each of its slots. */
export interface SlotStep {
  token: number;
  /** How many tokens the slot holds. */
  position: number;
  adapter: number;
}

export interface SlotDecoder {
  /** How many slots a step may read: the first 1, 2, 4, … of them. */
  readonly stepSizes: readonly number[];
  /** To be called once the program is loaded. */
  clear(): void;
  /** Reads prompts into slots, each into one of its own. @returns the logits behind each, float32 `[vocabulary]` */
  read(reads: readonly SlotRead[]): Float32Array[];
  /** Reads a prompt into a slot. @returns the log-probability of each token but the first after those before it */
  score(slot: number, prompt: SlotPrompt): Float32Array;
  /**
   * Reads a token more in each of the first slots, as many as one of `stepSizes`.
   *
   * @param steps undefined for a slot that is empty
   * @returns float32 `[steps, vocabulary]`
   */
  step(steps: readonly (SlotStep | undefined)[]): Float32Array;
  /** Copies what a slot holds to another one. */
  move(from: number, to: number): void;
}

/** Traces the functions into a program that is not loaded yet. */
export function traceSlotDecoder(
  program: Program,
  weights: Weights,
  config: { text_config: LlamaConfig },
  { slots, capacity, adapters, joined }: SlotPlan,
): SlotDecoder {
  const text = config.text_config;
  const hidden = text.hidden_size;
  const size = headSize(text);
  const heads = text.num_key_value_heads;
  // One place more than is used: for what fills up chunks and steps.
  const length = Math.ceil((capacity + 1) / ALIGNMENT) * ALIGNMENT;
  const unused = capacity;
  const shape = [slots, heads, length, size];
  const names = Array.from({ length: text.num_hidden_layers }, (_, layer) => ({
    keys: `slots.${layer}.keys`,
    values: `slots.${layer}.values`,
  }));
  const variables = names.flatMap(({ keys, values }) => [keys, values]);
  for (const name of variables) program.variable(name, shape);
  const chunks = chunkShapes({ slots, capacity });
  const stepSizes = [1, 2, 4, 8, 16, 32, 64].filter(
    (rows, index, all) => rows === 1 || (all[index - 1] as number) < slots,
  );
  const sizes = stepSizes.map((rows) => Math.min(rows, slots));
  const positionTable = tablesOf(text, length);

  /** `[slots, heads, length]` as rows of the cache: those of the tokens at these places of these slots. */
  const cacheRows = (ops: Ops, first: Value, places: Value, [sequences, tokens]: [number, number]) => {
    const ofHead = Int32Array.from({ length: heads }, (_, head) => head * length);
    const starts = ops.add(ops.reshape(first, [sequences, 1, 1]), ops.constant(ofHead, [1, heads, 1]));
    const rows = ops.add(starts, ops.reshape(places, [sequences, 1, tokens]));
    return ops.reshape(rows, [sequences * heads * tokens]);
  };
  const cache = (ops: Ops, updates: Updates, rows: Value, take: (all: Value) => Value): LayerCache => {
    const extended = (name: string, value: Value) =>
      take(updates.assignRows(name, rows, ops.reshape(value, [sizeOf(value.shape) / size, size])));
    return (layer, keys, values) => {
      const name = names[layer] as { keys: string; values: string };
      return { keys: extended(name.keys, keys), values: extended(name.values, values) };
    };
  };

  const productsOf = (logits: number) => ({
    ...(joined && { joined }),
    isHeadBatched: program.productType === 'float32' && logits > 1 && logits <= MOST_BATCHED,
  });
  const chunkInputs = ({ sequences, tokens }: ChunkShape) =>
    ({
      tokenIds: { shape: [sequences * tokens], dataType: 'int32' },
      isImage: { shape: [sequences * tokens, 1], dataType: 'bool' },
      images: { shape: [sequences * tokens, hidden], dataType: 'float32' },
      positions: { shape: [sequences * tokens], dataType: 'int32' },
      slots: { shape: [sequences], dataType: 'int32' },
      adapter: { shape: [sequences], dataType: 'int32' },
    }) as const;
  const traceChunk = (
    ops: Ops,
    { sequences, tokens }: ChunkShape,
    values: Record<keyof ReturnType<typeof chunkInputs>, Value>,
    updates: Updates,
    wanted: Value,
  ) => {
    const tape = new Tape(ops);
    const { positions, slots: into } = values;
    const embedded = embedTokens(tape, weights, values.tokenIds);
    const first = ops.multiply(into, ops.constant(Int32Array.of(heads * length), []));
    const rows = cacheRows(ops, first, positions, [sequences, tokens]);
    return llama(
      tape,
      weights,
      config,
      {
        embeddings: selectRows(tape, values.isImage, frozen(values.images), embedded),
        batch: sequences,
        tables: tables(ops, positionTable, positions),
        outputs: { perSequence: (wanted.shape[0] as number) / sequences, rows: wanted, tableRows: wanted },
        cache: cache(ops, updates, rows, (all) => ops.gather(all, into)),
        ...productsOf(wanted.shape[0] as number),
      },
      adapters?.(values.adapter),
    ).value;
  };
  for (const shape of [...chunks.alone, ...chunks.together]) {
    const last = { last: { shape: [shape.sequences], dataType: 'int32' } } as const;
    program.define(
      `chunk-${shape.sequences}-${shape.tokens}`,
      { ...chunkInputs(shape), ...last },
      (ops, values, updates) => ({
        logits: traceChunk(ops, shape, values, updates, values.last),
      }),
    );
  }
  for (const shape of chunks.scored) {
    const { tokens } = shape;
    const labels = { labels: { shape: [tokens], dataType: 'int32' } } as const;
    program.define(`score-${tokens}`, { ...chunkInputs(shape), ...labels }, (ops, values, updates) => {
      const all = ops.constant(
        Int32Array.from({ length: tokens }, (_, index) => index),
        [tokens],
      );
      const [losses] = ops.crossEntropy(traceChunk(ops, shape, values, updates, all), values.labels);
      return { losses };
    });
  }

  for (const rows of sizes) {
    const perRow = { shape: [rows], dataType: 'int32' } as const;
    const inputs = { tokens: perRow, positions: perRow, adapter: perRow } as const;
    program.define(`step-${rows}`, inputs, (ops, values, updates) => {
      const tape = new Tape(ops);
      const each = ops.constant(
        Int32Array.from({ length: rows }, (_, row) => row),
        [rows],
      );
      const first = ops.multiply(each, ops.constant(Int32Array.of(heads * length), []));
      const written = cacheRows(ops, first, values.positions, [rows, 1]);
      const logits = llama(
        tape,
        weights,
        config,
        {
          embeddings: embedTokens(tape, weights, values.tokens),
          batch: rows,
          tables: tables(ops, positionTable, values.positions),
          outputs: { perSequence: 1, rows: each, tableRows: each },
          cache: cache(ops, updates, written, (all) => firstRows(ops, all, rows)),
          ...productsOf(rows),
        },
        adapters?.(values.adapter),
      );
      return { logits: logits.value };
    });
  }

  program.define('clear', { zero: { shape: [], dataType: 'float32' } }, (ops, { zero }, updates) => {
    for (const [index, name] of variables.entries()) {
      // Each a value of its own: of equal ones TensorFlow makes one, and variables that share it would both be written to.
      updates.assign(name, ops.fill(shape, ops.scale(zero, index + 2)));
    }
    return { zero };
  });

  const oneSlot = { shape: [1], dataType: 'int32' } as const;
  program.define('move', { from: oneSlot, to: oneSlot }, (ops, { from, to }, updates) => {
    const flat = (slot: Value) => {
      const first = ops.multiply(slot, ops.constant(Int32Array.of(heads * length), []));
      const within = Int32Array.from({ length: heads * length }, (_, row) => row);
      return ops.add(first, ops.constant(within, [heads * length]));
    };
    for (const name of variables) {
      const moved = ops.gather(updates.read(name), from);
      updates.assignRows(name, flat(to), ops.reshape(moved, [heads * length, size]));
    }
    return { moved: ops.add(from, to) };
  });

  const feedsOf = (chunk: Chunk) => chunkFeeds(chunk, { hidden, unused });
  const requireFit = (reads: readonly SlotRead[]) => {
    for (const { prompt } of reads) {
      const { length: tokens } = prompt.tokenIds;
      if (tokens > capacity) throw new RangeError(`${tokens} tokens for a slot of ${capacity}`);
      if (tokens === 0) throw new RangeError('a prompt has at least one token');
    }
  };

  return {
    stepSizes: sizes,
    clear() {
      program.run('clear', { zero: Float32Array.of(0) });
    },
    read(reads) {
      requireFit(reads);
      const found: Float32Array[] = [];
      for (const chunk of chunksTogether(reads, chunks)) {
        const { sequences, tokens, parts } = chunk;
        const last = new Int32Array(sequences);
        for (const [row, { count }] of parts.entries()) last[row] = row * tokens + count - 1;
        const feeds = { ...feedsOf(chunk), last };
        const logits = program.run(`chunk-${sequences}-${tokens}`, feeds).logits as Float32Array;
        const vocabulary = logits.length / sequences;
        for (const [row, { index }] of parts.entries()) {
          found[index] = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
        }
      }
      return found;
    },
    score(slot, prompt) {
      const reads = [{ slot, prompt }];
      requireFit(reads);
      const found = new Float32Array(prompt.tokenIds.length - 1);
      for (const chunk of chunksAlone(reads, chunks.scored)) {
        const { start, count } = chunk.parts[0] as Chunk['parts'][number];
        const labels = new Int32Array(chunk.tokens);
        labels.set(prompt.tokenIds.slice(start + 1, start + count + 1));
        const losses = program.run(`score-${chunk.tokens}`, { ...feedsOf(chunk), labels }).losses as Float32Array;
        const known = Math.min(count, found.length - start);
        found.set(
          losses.subarray(0, known).map((loss) => -loss),
          start,
        );
      }
      return found;
    },
    step(steps) {
      const values = (of: (step: SlotStep) => number, otherwise: number) =>
        Int32Array.from(steps, (step) => (step ? of(step) : otherwise));
      const feeds = {
        tokens: values(({ token }) => token, 0),
        positions: values(({ position }) => position, unused),
        adapter: values(({ adapter }) => adapter, 0),
      };
      if (steps.some((step) => step !== undefined && step.position >= capacity)) {
        throw new RangeError(`a slot holds ${capacity} tokens`);
      }
      return program.run(`step-${steps.length}`, feeds).logits as Float32Array;
    },
    move(from, to) {
      program.run('move', { from: Int32Array.of(from), to: Int32Array.of(to) });
    },
  };
}

/** The first rows, which are where they are: nothing is copied. */
function firstRows(ops: Ops, all: Value, rows: number): Value {
  const total = all.shape[0] as number;
  return rows === total ? all : (ops.split(all, [rows, total - rows], 0)[0] as Value);
}

interface PositionTable {
  /** float32 `[length, headSize / 2]` */
  cosine: Float32Array;
  sine: Float32Array;
  shape: [number, number];
}

function tablesOf(text: LlamaConfig, length: number): PositionTable {
  const positions = Int32Array.from({ length }, (_, position) => position);
  const frequencies = rotaryFrequencies(headSize(text), text.rope_theta, text.rope_scaling);
  return { ...rotaryTables(positions, frequencies), shape: [length, frequencies.length] };
}

/** A token sees itself and the places before its own. */
function tables(ops: Ops, { cosine, sine, shape }: PositionTable, positions: Value): LlamaInput['tables'] {
  const places = Int32Array.from({ length: shape[0] }, (_, place) => place);
  const isVisible = ops.greaterEqual(
    ops.reshape(positions, [positions.shape[0] as number, 1]),
    ops.constant(places, [1, shape[0]]),
  );
  return {
    cosine: ops.gather(ops.constant(cosine, shape), positions),
    sine: ops.gather(ops.constant(sine, shape), positions),
    mask: ops.select(isVisible, ops.scalar(0), ops.scalar(HIDDEN)),
  };
}
