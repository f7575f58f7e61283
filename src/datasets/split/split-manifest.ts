/** What a division of questions writes beside its files. */
import { z } from 'zod';

export const sideNames = ['train', 'validation', 'test'] as const;
export type SideName = (typeof sideNames)[number];

/**
 * How many of the 256 fine bits may differ. Measured on photographs, rendered scenes, text and bar charts: a copy that was
 * encoded again, resized or recolored differs in up to 40, one cropped by 2 % on each side in 60 at most and 48 in 19 of
 * 20 cases; different photographs in 98 and more, pages of text in 58, charts in 58 but for one in a thousand pairs.
 */
export const defaultFineBits = 56;

const count = z.int().nonnegative();
const sideSchema = z.object({
  /** In the folder of the manifest. */
  file: z.string(),
  sha256: z.string(),
  questions: count,
  images: count,
  /** Questions by type; those without one are `unclassified`. */
  byType: z.record(z.string(), count),
});
export const splitSchema = z.object({
  schemaVersion: z.literal(1),
  source: z.object({ file: z.string(), sha256: z.string(), format: z.string() }),
  seed: z.union([z.number(), z.string()]),
  wanted: z.object({ validation: z.number(), test: z.number() }),
  sides: z.partialRecord(z.enum(sideNames), sideSchema),
  /** Images that look alike, and the side they are on. */
  nearDuplicates: z.array(z.object({ side: z.enum(sideNames), bits: count, images: z.array(z.string()) })),
  nearDuplicateBits: count,
  /** Types of which a side has no question, and how many groups of images they have. */
  tooFew: z.array(z.object({ type: z.string(), groups: count, missingIn: z.array(z.enum(sideNames)) })),
  /** Rows that are on no side, by reason. */
  leftOut: z.record(z.string(), count),
});

/** What a call wrote: its manifest. */
export type Split = z.output<typeof splitSchema>;

export const splitManifest = 'split.json';
