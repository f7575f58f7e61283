/** Large objects travel in parts, so that what was done of them is not lost. */

const mebibyte = 1024 * 1024;
const smallestPart = 16 * mebibyte;
// S3 takes at most 10,000 parts.
const mostParts = 10_000;

/** A piece of a file. */
export interface Part {
  /** From 1. */
  number: number;
  start: number;
  size: number;
}

/** The parts of a file: the same for the same size, in every process. One that is small has a single part. */
export function partsOf(size: number): Part[] {
  const partSize = Math.max(smallestPart, Math.ceil(size / mostParts / mebibyte) * mebibyte);
  const count = Math.max(1, Math.ceil(size / partSize));
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    start: index * partSize,
    size: Math.min(partSize, size - index * partSize),
  }));
}

/** How many parts are under way at once, each in memory. */
export const partsAtOnce = 4;
