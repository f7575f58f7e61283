/**
 * Sizes in `config.json`, up to many times those of the largest models that are published: lists of layers and of positions
 * are made of them before any tensor is read.
 */
import { z } from 'zod';

const upTo = (most: number) => z.number().int().positive().max(most);

export const sizes = {
  /** Of a vector: hidden, intermediate and projected ones. */
  width: upTo(2 ** 20),
  layers: upTo(1024),
  heads: upTo(16_384),
  vocabulary: upTo(2 ** 24),
  /** Of an image or a patch, in pixels. */
  edge: upTo(16_384),
  queries: upTo(16_384),
  positions: upTo(2 ** 30),
  /** Of an adapter. */
  rank: upTo(65_536),
};

export const tokenId = z
  .number()
  .int()
  .nonnegative()
  .max(2 ** 31 - 1);
