/** The rows of a large matrix that are most like a few queries, by TensorFlow's products and TopK. */
import { DATA_TYPE_CODES, nativeBinding } from './ops/tensorflow.ts';

/** Rows compared in one product: 16,384 x 768 in float32 is 48 MiB. */
const BLOCK = 16_384;

/**
 * For each query, the rows whose product with it is greatest, in no particular order. Rows of length one make that
 * the cosine. Between blocks the event loop runs, so that heartbeats go out.
 *
 * @param input.rows float32 `[n, width]`
 * @param input.queries float32 `[m, width]`
 * @param input.count how many rows a query gets; all when there are fewer
 * @returns `m` lists of row numbers
 */
export async function nearestRows(input: {
  rows: Float32Array;
  queries: Float32Array;
  width: number;
  count: number;
  signal?: AbortSignal;
}): Promise<Uint32Array[]> {
  const { rows, queries, width, count, signal } = input;
  const [n, m] = [rows.length / width, queries.length / width];
  if (!Number.isInteger(n) || !Number.isInteger(m)) throw new RangeError(`The rows are not ${width} numbers each`);
  if (m === 0) return [];
  const binding = nativeBinding();
  const query = binding.createTensor([m, width], DATA_TYPE_CODES.float32, queries);
  try {
    const found = Array.from({ length: m }, (): Candidates => ({ rows: [], scores: [] }));
    for (let start = 0; start < n; start += BLOCK) {
      const size = Math.min(BLOCK, n - start);
      const top = topOfBlock(query, rows.subarray(start * width, (start + size) * width), width, Math.min(count, size));
      found.forEach((candidates, index) => merge(candidates, top, index, start, count));
      await new Promise(setImmediate);
      signal?.throwIfAborted();
    }
    return found.map((candidates) => Uint32Array.from(candidates.rows));
  } finally {
    binding.deleteTensor(query);
  }
}

interface Candidates {
  rows: number[];
  scores: number[];
}

interface BlockTop {
  values: Float32Array;
  indices: Int32Array;
  count: number;
}

function topOfBlock(query: number, block: Float32Array, width: number, count: number): BlockTop {
  const binding = nativeBinding();
  const type = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  const flag = (name: string, value: boolean) => ({ name, type: binding.TF_ATTR_BOOL, value });
  const { float32, int32 } = DATA_TYPE_CODES;
  const made: number[] = [];
  const run = (
    name: string,
    attributes: Parameters<typeof binding.executeOp>[1],
    inputs: number[],
    outputs: number,
  ) => {
    const ids = binding.executeOp(name, attributes, inputs, outputs).map(({ id }) => id);
    made.push(...ids);
    return ids as [number, ...number[]];
  };
  try {
    const rows = binding.createTensor([block.length / width, width], float32, block);
    const amount = binding.createTensor([], int32, Int32Array.of(count));
    made.push(rows, amount);
    const [scores] = run(
      'MatMul',
      [flag('transpose_a', false), flag('transpose_b', true), type('T', float32)],
      [query, rows],
      1,
    );
    // Sorted, so that merging may stop early.
    const [values, indices] = run('TopKV2', [flag('sorted', true), type('T', float32)], [scores, amount], 2);
    return {
      values: binding.tensorDataSync(values) as Float32Array,
      indices: binding.tensorDataSync(indices as number) as Int32Array,
      count,
    };
  } finally {
    for (const id of made) binding.deleteTensor(id);
  }
}

/** Both lists are sorted by falling score; the earlier block's rows go first among equals. */
function merge(candidates: Candidates, top: BlockTop, query: number, start: number, count: number): void {
  const merged: Candidates = { rows: [], scores: [] };
  let [left, right] = [0, 0];
  while (merged.rows.length < count) {
    const mine = candidates.scores[left];
    const theirs = right < top.count ? (top.values[query * top.count + right] as number) : undefined;
    if (mine === undefined && theirs === undefined) break;
    if (theirs === undefined || (mine !== undefined && mine >= theirs)) {
      merged.rows.push(candidates.rows[left] as number);
      merged.scores.push(mine as number);
      left += 1;
    } else {
      merged.rows.push(start + (top.indices[query * top.count + right] as number));
      merged.scores.push(theirs);
      right += 1;
    }
  }
  candidates.rows = merged.rows;
  candidates.scores = merged.scores;
}
