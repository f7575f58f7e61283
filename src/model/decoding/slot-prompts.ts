/**
 * Reading of prompts into slots: in chunks of a few sizes, so that few functions are traced. A chunk has some tokens of one
 * prompt, or of several: to read the weights of a model takes as long as to multiply dozens of tokens by them.
 *
 * Prompts are not padded: what fills a chunk up is written beyond the capacity of a slot, where nothing is looked for.
 */

/** Tokens of one prompt that are read at once; the rest is filled up to the smallest. */
const CHUNKS = [16, 32, 128];
/** Those that prompts are scored in. */
const SCORED_CHUNKS = CHUNKS.slice(1);
/** How many prompts are read at once, and so many tokens of each. */
const PROMPTS_TOGETHER = [4, 8];
const CHUNKS_TOGETHER = [16, 32];
/** To read the weights takes as long as to multiply so many tokens by them. */
const TOKENS_OF_A_READ = 40;
/** Fewer are read faster one after another than filled up to the fewest. */
const WORTH_READING_TOGETHER = 3;

/** A prompt as ids, with embeddings in some places. */
export interface SlotPrompt {
  tokenIds: readonly number[];
  /** Where the embeddings of images stand, float32 `[tokens, hidden]` each. */
  images: readonly { start: number; embeddings: Float32Array }[];
  /** Number of its adapter among those of the plan. */
  adapter: number;
}

/** The shape of a chunk: so many tokens of each of so many prompts. */
export interface ChunkShape {
  sequences: number;
  tokens: number;
}

/** A prompt, and the slot that it is read into. */
export interface SlotRead {
  slot: number;
  prompt: SlotPrompt;
}

/** What is read at once: of each prompt the tokens from `start` on, `count` of them. */
export interface Chunk extends ChunkShape {
  parts: { read: SlotRead; index: number; start: number; count: number }[];
}

interface ChunkFeeds extends Record<string, Int32Array | Float32Array | Uint8Array> {
  /** `[sequences * tokens]` */
  tokenIds: Int32Array;
  /** `[sequences * tokens, 1]` */
  isImage: Uint8Array;
  /** `[sequences * tokens, hidden]` */
  images: Float32Array;
  /** `[sequences * tokens]` */
  positions: Int32Array;
  /** `[sequences]` */
  slots: Int32Array;
  /** `[sequences]` */
  adapter: Int32Array;
}

export function chunkShapes({ slots, capacity }: { slots: number; capacity: number }): {
  alone: ChunkShape[];
  scored: ChunkShape[];
  together: ChunkShape[];
} {
  const alone = CHUNKS.filter((tokens, index) => index < 2 || tokens <= capacity).map((tokens) => ({
    sequences: 1,
    tokens,
  }));
  const counts = PROMPTS_TOGETHER.filter((count) => count <= slots);
  const lengths = CHUNKS_TOGETHER.filter((tokens, index) => index === 0 || tokens <= capacity);
  return {
    alone,
    scored: alone.filter(({ tokens }) => SCORED_CHUNKS.includes(tokens)),
    together: counts.flatMap((sequences) => lengths.map((tokens) => ({ sequences, tokens }))),
  };
}

/** The chunks of one prompt after another. */
export function* chunksAlone(reads: readonly SlotRead[], shapes: readonly ChunkShape[]): Generator<Chunk> {
  for (const [index, read] of reads.entries()) yield* chunksOf(read, index, 0, shapes);
}

function* chunksOf(read: SlotRead, index: number, from: number, shapes: readonly ChunkShape[]): Generator<Chunk> {
  const total = read.prompt.tokenIds.length;
  for (let start = from; start < total; ) {
    const rest = total - start;
    const shape = shapes.findLast(({ tokens }) => tokens <= rest) ?? (shapes[0] as ChunkShape);
    const count = Math.min(rest, shape.tokens);
    yield { ...shape, parts: [{ read, index, start, count }] };
    start += count;
  }
}

/** The chunks of prompts that are read together as long as several are left, then alone. */
export function* chunksTogether(
  reads: readonly SlotRead[],
  { alone, together }: { alone: readonly ChunkShape[]; together: readonly ChunkShape[] },
): Generator<Chunk> {
  const starts = reads.map(() => 0);
  const restOf = (index: number) => (reads[index] as SlotRead).prompt.tokenIds.length - (starts[index] as number);
  const most = Math.max(0, ...together.map(({ sequences }) => sequences));
  for (;;) {
    const left = [...reads.keys()].filter((index) => restOf(index) > 0).slice(0, most);
    if (left.length < WORTH_READING_TOGETHER) break;
    const wide = together.filter(({ sequences }) => sequences >= left.length);
    const fewest = wide.filter(({ sequences }) => sequences === wide[0]?.sequences);
    const { shape } = cheapest(Math.max(...left.map(restOf)), fewest);
    const parts = left.map((index) => ({
      read: reads[index] as SlotRead,
      index,
      start: starts[index] as number,
      count: Math.min(restOf(index), shape.tokens),
    }));
    yield { ...shape, parts };
    for (const { index, count } of parts) starts[index] = (starts[index] as number) + count;
  }
  for (const [index, read] of reads.entries()) yield* chunksOf(read, index, starts[index] as number, alone);
}

/** The first of the chunks that take least time for so many tokens of each prompt. */
function cheapest(tokens: number, shapes: readonly ChunkShape[]): { shape: ChunkShape; cost: number } {
  const longest = shapes.at(-1) as ChunkShape;
  if (tokens >= longest.tokens * 2) return { shape: longest, cost: Number.POSITIVE_INFINITY };
  const all = shapes.map((shape) => {
    const rest = tokens - shape.tokens;
    const own = TOKENS_OF_A_READ + shape.sequences * shape.tokens;
    return { shape, cost: own + (rest > 0 ? cheapest(rest, shapes).cost : 0) };
  });
  return all.reduce((best, one) => (one.cost < best.cost ? one : best));
}

/**
 * The inputs of a chunk.
 *
 * @param unused the place of a slot that what fills the chunk up is written to
 */
export function chunkFeeds(
  { sequences, tokens, parts }: Chunk,
  { hidden, unused }: { hidden: number; unused: number },
): ChunkFeeds {
  const rows = sequences * tokens;
  const tokenIds = new Int32Array(rows);
  const isImage = new Uint8Array(rows);
  const images = new Float32Array(rows * hidden);
  const positions = new Int32Array(rows).fill(unused);
  const slots = new Int32Array(sequences).fill(parts[0]?.read.slot ?? 0);
  const adapter = new Int32Array(sequences);
  for (const [row, { read, start, count }] of parts.entries()) {
    const { prompt, slot } = read;
    const first = row * tokens;
    slots[row] = slot;
    adapter[row] = prompt.adapter;
    tokenIds.set(prompt.tokenIds.slice(start, start + count), first);
    for (let place = 0; place < count; place++) positions[first + place] = start + place;
    for (const { start: place, embeddings } of prompt.images) {
      const from = Math.max(place, start);
      const to = Math.min(place + embeddings.length / hidden, start + count);
      if (from >= to) continue;
      isImage.fill(1, first + from - start, first + to - start);
      images.set(embeddings.subarray((from - place) * hidden, (to - place) * hidden), (first + from - start) * hidden);
    }
  }
  return { tokenIds, isImage, images, positions, slots, adapter };
}
