/**
 * Boxes in the notations of models, by intersection over union, which counts as found from 0.5 on (`tasks/refcoco` of lmms-eval).
 * An answer and its reference have to be in the same notation, since pixels and shares of the image differ:
 *
 * - `[{"bbox_2d": [x1, y1, x2, y2], "label": "cup"}]`, or one such object, in pixels: Qwen2.5-VL (arXiv 2502.13923)
 * - `[x1, y1, x2, y2]`, as shares of the image: LLaVA-1.5, Shikra (arXiv 2306.15195)
 * - `{<x1><y1><x2><y2>}`, in hundredths of the image: MiniGPT-v2 (arXiv 2310.09478)
 */
import { z } from 'zod';
import { readJsonValue } from './json-fields.ts';

/** Left, top, right and bottom edge. */
type Box = readonly [number, number, number, number];

const boxSchema = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const qwenSchema = z.union([z.array(z.object({ bbox_2d: boxSchema })).min(1), z.object({ bbox_2d: boxSchema })]);

const number = String.raw`\s*(-?\d+(?:\.\d+)?)\s*`;
const listed = new RegExp(String.raw`\[${[number, number, number, number].join(',')}\]`, 'g');
const marked = new RegExp(String.raw`\{${Array(4).fill(`<${number}>`).join('\\s*')}\}`, 'g');

/** All boxes of a text; undefined where there is none. */
export function readBoxes(text: string): Box[] | undefined {
  const qwen = qwenSchema.safeParse(readJsonValue(text));
  if (qwen.success) return [qwen.data].flat().map(({ bbox_2d }) => bbox_2d);
  for (const pattern of [marked, listed]) {
    const found = Array.from(text.matchAll(pattern), ([, ...edges]) => boxSchema.parse(edges.map(Number)));
    if (found.length > 0) return found;
  }
  return undefined;
}

const leastOverlap = 0.5;

/**
 * How far the boxes of an answer are those of a reference: 1 or 0 for one box on both sides, the accuracy of RefCOCO; for
 * several, matched one to one from the best overlap on, twice the pairs by the boxes of both (F1).
 */
export function boxesFound(given: readonly Box[], wanted: readonly Box[]): number {
  const pairs = given.flatMap((box, one) =>
    wanted.map((reference, other) => ({ one, other, overlap: overlapOf(box, reference) })),
  );
  const [usedGiven, usedWanted] = [new Set<number>(), new Set<number>()];
  for (const { one, other, overlap } of pairs.sort((left, right) => right.overlap - left.overlap)) {
    if (overlap < leastOverlap || usedGiven.has(one) || usedWanted.has(other)) continue;
    usedGiven.add(one);
    usedWanted.add(other);
  }
  const all = given.length + wanted.length;
  return all === 0 ? 0 : (2 * usedGiven.size) / all;
}

/** Intersection over union, 0 to 1. */
export function overlapOf(one: Box, other: Box): number {
  const side = (from: number, to: number) => Math.max(0, to - from);
  const area = ([left, top, right, bottom]: Box) => side(left, right) * side(top, bottom);
  const shared = area([
    Math.max(one[0], other[0]),
    Math.max(one[1], other[1]),
    Math.min(one[2], other[2]),
    Math.min(one[3], other[3]),
  ]);
  const union = area(one) + area(other) - shared;
  return union === 0 ? 0 : shared / union;
}
