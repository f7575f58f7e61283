import type { SeededRandom } from '../core/seeded-random.ts';

/** Images that may still be drawn; drawing and taking take the same short time for any number of them. */
export interface ImagePool {
  size(): number;
  /** Those of the given images that are still free, in the given order. */
  onlyFree(imageIds: readonly number[]): number[];
  /** A free image, each as likely as the others. */
  pick(random: SeededRandom): number;
  take(imageId: number): void;
}

/** Makes a pool of images, each free once. */
export function imagePool(imageIds: readonly number[]): ImagePool {
  const free = [...new Set(imageIds)];
  const positions = new Map(free.map((id, position) => [id, position]));
  return {
    size: () => free.length,
    onlyFree: (candidates) => candidates.filter((id) => positions.has(id)),
    pick: (random) => random.pick(free),
    take(imageId) {
      const position = positions.get(imageId);
      if (position === undefined) throw new Error(`Image ${imageId} is not free`);
      const last = free.pop() as number;
      positions.delete(imageId);
      if (last !== imageId) {
        free[position] = last;
        positions.set(last, position);
      }
    },
  };
}
