/**
 * The nearest-image search at COCO's size: the 1,000 nearest of 118,287 images, embeddings of 768 numbers, for
 * batches of queries. Beside it, in the same run and by turns, the plain search in JavaScript, one query at a time,
 * whose answers must be the same.
 *
 * Usage: npm run bench:nearest
 */

import { seededRandom } from '../src/core/seeded-random.ts';
import { nearestImages } from '../src/generation/nearest-images.ts';
import { nearestInPool } from '../src/round/sample/nearest-in-pool.ts';

const [IMAGES, WIDTH, QUERIES, COUNT, TURNS, PLAIN] = [118_287, 768, 64, 1000, 5, 2];

const random = seededRandom('nearest');
const embeddings = new Float32Array((IMAGES + QUERIES) * WIDTH);
for (let row = 0; row < IMAGES + QUERIES; row += 1) {
  const values = embeddings.subarray(row * WIDTH, (row + 1) * WIDTH);
  for (let column = 0; column < WIDTH; column += 1) values[column] = random.uniform() - 0.5;
  const length = Math.hypot(...values);
  for (let column = 0; column < WIDTH; column += 1) values[column] = (values[column] as number) / length;
}
const pool = Array.from({ length: IMAGES }, (_, index) => index + 1);
const others = Array.from({ length: QUERIES }, (_, index) => IMAGES + index + 1);

const batchSeconds: number[] = [];
const plainSeconds: number[] = [];
let same = true;
for (let turn = 0; turn < TURNS; turn += 1) {
  const batchStart = performance.now();
  const found = await nearestInPool({ embeddings, width: WIDTH, pool, others }, others, COUNT);
  batchSeconds.push((performance.now() - batchStart) / 1000);

  const plainStart = performance.now();
  const plain = others.slice(0, PLAIN).map((id, index) => {
    const query = embeddings.subarray((IMAGES + index) * WIDTH, (IMAGES + index + 1) * WIDTH);
    const rows = embeddings.subarray(0, IMAGES * WIDTH);
    return [id, nearestImages({ embeddings: rows, width: WIDTH, imageIds: pool, query, count: COUNT })] as const;
  });
  plainSeconds.push(((performance.now() - plainStart) / 1000 / PLAIN) * QUERIES);
  same &&= plain.every(([id, ids]) => JSON.stringify(ids) === JSON.stringify(found.get(id)));
  console.log(
    `turn ${turn + 1}: ${QUERIES} queries in ${batchSeconds.at(-1)?.toFixed(2)} s, plain ${plainSeconds.at(-1)?.toFixed(2)} s`,
  );
}
const median = (values: number[]) =>
  values.sort((left, right) => left - right)[Math.floor(values.length / 2)] as number;
const seconds = median(batchSeconds);
console.log(
  JSON.stringify({
    bench: 'nearest',
    images: IMAGES,
    width: WIDTH,
    queries: QUERIES,
    count: COUNT,
    secondsABatch: Number(seconds.toFixed(3)),
    fastestSeconds: Number(Math.min(...batchSeconds).toFixed(3)),
    speedupOverPlain: Number((median(plainSeconds) / seconds).toFixed(1)),
    sameAnswers: same,
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
if (!same) process.exitCode = 1;
