/**
 * Decoding of requests that come and go: slots of a key-value cache of fixed capacity, each for one sequence.
 *
 * A prompt is read into its slot in chunks; a step reads one more token of each of the first slots, whatever their lengths.
 * Slot and positions are inputs of the traced functions, so that few functions serve all lengths. Prompts are not padded: what
 * fills a chunk up is written beyond the capacity, where nothing is looked for.
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

/** Tokens of a prompt that are read at once; the rest is filled up to the smallest. */
const CHUNKS = [16, 32, 128];
/** Those that prompts are scored in. */
const SCORED_CHUNKS = CHUNKS.slice(1);
/** A slot's rows are aligned in memory for slots to be taken apart without a copy. */
const ALIGNMENT = 16;

export interface SlotPlan {
  slots: number;
  /** Tokens of prompt and answer together, in each slot. */
  capacity: number;
  /** Makes the adapters of the traced functions, of which each sequence takes one: `chosen` is int32 `[sequences]`. */
  adapters?: ((chosen: Value) => Adapters) | undefined;
}

/** A prompt as ids, with embeddings in some places. */
export interface SlotPrompt {
  tokenIds: readonly number[];
  /** Where the embeddings of images stand, float32 `[tokens, hidden]` each. */
  images: readonly { start: number; embeddings: Float32Array }[];
  /** Number of its adapter among those of the plan. */
  adapter: number;
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
  /** Reads a prompt into a slot. @returns the logits behind it, float32 `[vocabulary]` */
  read(slot: number, prompt: SlotPrompt): Float32Array;
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
  { slots, capacity, adapters }: SlotPlan,
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
  const chunks = CHUNKS.filter((tokens, index) => index < 2 || tokens <= capacity);
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

  for (const tokens of chunks) {
    const inputs = {
      tokenIds: { shape: [tokens], dataType: 'int32' },
      isImage: { shape: [tokens, 1], dataType: 'bool' },
      images: { shape: [tokens, hidden], dataType: 'float32' },
      positions: { shape: [tokens], dataType: 'int32' },
      slot: { shape: [1], dataType: 'int32' },
      adapter: { shape: [1], dataType: 'int32' },
    } as const;
    const trace = (ops: Ops, values: Record<keyof typeof inputs, Value>, updates: Updates, wanted: Value) => {
      const tape = new Tape(ops);
      const embedded = embedTokens(tape, weights, values.tokenIds);
      const first = ops.multiply(values.slot, ops.constant(Int32Array.of(heads * length), []));
      const rows = cacheRows(ops, first, values.positions, [1, tokens]);
      return llama(
        tape,
        weights,
        config,
        {
          embeddings: selectRows(tape, values.isImage, frozen(values.images), embedded),
          batch: 1,
          tables: tables(ops, positionTable, values.positions),
          outputs: { perSequence: wanted.shape[0] as number, rows: wanted, tableRows: wanted },
          cache: cache(ops, updates, rows, (all) => ops.gather(all, values.slot)),
        },
        adapters?.(values.adapter),
      ).value;
    };
    const last = { last: { shape: [1], dataType: 'int32' } } as const;
    program.define(`chunk-${tokens}`, { ...inputs, ...last }, (ops, values, updates) => ({
      logits: trace(ops, values, updates, values.last),
    }));
    if (!SCORED_CHUNKS.includes(tokens)) continue;
    const labels = { labels: { shape: [tokens], dataType: 'int32' } } as const;
    program.define(`score-${tokens}`, { ...inputs, ...labels }, (ops, values, updates) => {
      const all = ops.constant(
        Int32Array.from({ length: tokens }, (_, index) => index),
        [tokens],
      );
      const [losses] = ops.crossEntropy(trace(ops, values, updates, all), values.labels);
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

  /** Runs the chunks of a prompt; `use` gets where each starts, how many tokens of the prompt it has, and its inputs. */
  const inChunks = (
    slot: number,
    { tokenIds, images, adapter }: SlotPrompt,
    among: readonly number[],
    use: (chunk: {
      start: number;
      count: number;
      tokens: number;
      feeds: Record<string, Int32Array | Float32Array | Uint8Array>;
    }) => void,
  ) => {
    if (tokenIds.length > capacity) throw new RangeError(`${tokenIds.length} tokens for a slot of ${capacity}`);
    for (let start = 0; start < tokenIds.length; ) {
      const rest = tokenIds.length - start;
      const tokens = among.findLast((candidate) => candidate <= rest) ?? (among[0] as number);
      const count = Math.min(rest, tokens);
      const isImage = new Uint8Array(tokens);
      const shown = new Float32Array(tokens * hidden);
      for (const { start: place, embeddings } of images) {
        const from = Math.max(place, start);
        const to = Math.min(place + embeddings.length / hidden, start + count);
        if (from >= to) continue;
        isImage.fill(1, from - start, to - start);
        shown.set(embeddings.subarray((from - place) * hidden, (to - place) * hidden), (from - start) * hidden);
      }
      const ids = new Int32Array(tokens);
      ids.set(tokenIds.slice(start, start + count));
      const positions = Int32Array.from({ length: tokens }, (_, index) => (index < count ? start + index : unused));
      const feeds = {
        ...{ tokenIds: ids, isImage, images: shown, positions },
        ...{ slot: Int32Array.of(slot), adapter: Int32Array.of(adapter) },
      };
      use({ start, count, tokens, feeds });
      start += count;
    }
  };

  return {
    stepSizes: sizes,
    clear() {
      program.run('clear', { zero: Float32Array.of(0) });
    },
    read(slot, prompt) {
      let logits: Float32Array | undefined;
      inChunks(slot, prompt, chunks, ({ count, tokens, feeds }) => {
        logits = program.run(`chunk-${tokens}`, { ...feeds, last: Int32Array.of(count - 1) }).logits as Float32Array;
      });
      if (logits === undefined) throw new RangeError('a prompt has at least one token');
      return logits;
    },
    score(slot, prompt) {
      const found = new Float32Array(prompt.tokenIds.length - 1);
      const scored = chunks.filter((tokens) => SCORED_CHUNKS.includes(tokens));
      inChunks(slot, prompt, scored, ({ start, count, tokens, feeds }) => {
        const labels = new Int32Array(tokens);
        labels.set(prompt.tokenIds.slice(start + 1, start + count + 1));
        const losses = program.run(`score-${tokens}`, { ...feeds, labels }).losses as Float32Array;
        const known = Math.min(count, found.length - start);
        found.set(
          losses.subarray(0, known).map((loss) => -loss),
          start,
        );
      });
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
