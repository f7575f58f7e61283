/** Large objects are transferred in parts, so that an interruption loses only the parts under way. */

const mebibyte = 1024 * 1024;
const minimumPartSize = 16 * mebibyte;
// S3 takes at most 10,000 parts.
const maximumParts = 10_000;

/** A piece of a file. */
export interface Part {
  /** Counted from 1. */
  number: number;
  /** Offset in bytes. */
  start: number;
  /** Bytes. */
  size: number;
}

/** The parts of a file, which depend on its size alone. A small file has a single part. */
export function partsOf(size: number): Part[] {
  const partSize = Math.max(minimumPartSize, Math.ceil(size / maximumParts / mebibyte) * mebibyte);
  const count = Math.max(1, Math.ceil(size / partSize));
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    start: index * partSize,
    size: Math.min(partSize, size - index * partSize),
  }));
}

/** Each part under way is in memory. */
export const maxConcurrentParts = 4;
