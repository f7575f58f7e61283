import type { Box } from '../../scenes/scene.ts';
import type { CategoryName, Color } from '../../scenes/vocabulary.ts';
import { halved } from './pixels.ts';
import {
  type CoarseSide,
  canvasSide,
  coarseSides,
  fineSides,
  type Template,
  type ThingReferences,
} from './templates.ts';

/** A thing that covers a part of the background. */
export interface SeenThing {
  category: CategoryName;
  color: Color;
  box: Box;
}

/** A template at a place, its box's corner in pixels of the compared image. */
interface Match {
  template: Template;
  x: number;
  y: number;
  /** By how much less the image differs, in squares of channels, than without the thing. */
  gain: number;
}

/** How far a box of each side is looked for around the center of its cell, in pixels of the canvas. */
const reach: Readonly<Record<CoarseSide, number>> = { 28: 6, 48: 4 };
const cells = 9;
/** The best kinds of things that are compared at full resolution. */
const finalists = 12;
/** Of what the image would gain if the thing looked exactly so. */
const leastShare = 0.2;

/**
 * Finds the things of a scene, the clearest first. Each is the category, color, size and place that explains the image best,
 * as the sum of squares of what differs goes; it then becomes a part of the background, since neighbors may touch.
 *
 * @param pixels RGB, [canvasSide, canvasSide, 3]
 * @param factor the share of light that the image has
 * @returns the things, and the image as it would be with nothing but them
 */
export function findThings(
  pixels: Float32Array,
  background: Float32Array,
  { coarse, fine }: ThingReferences,
  factor: number,
): { things: SeenThing[]; explained: Float32Array } {
  const sight = { image: pixels, behind: background.map((value) => value * factor), side: canvasSide, factor };
  const half = (image: Float32Array) => halved(image, canvasSide, canvasSide, 3);
  const small = { image: half(pixels), behind: half(sight.behind), side: canvasSide / 2, factor };
  const look = (cell: number): Match[] =>
    coversCell(small, cell) ? bestMatch(small, sight, cell, { coarse, fine }) : [];
  const matches = new Map(Array.from({ length: cells }, (_, cell) => [cell, look(cell)]));
  const found: SeenThing[] = [];
  for (;;) {
    const best = [...matches].flatMap(([cell, [match]]) => (match ? { cell, match } : [])).sort(byGain)[0];
    if (best === undefined) return { things: found, explained: sight.behind };
    const { template, x, y } = best.match;
    found.push({ category: template.category, color: template.color, box: [x, y, template.side, template.side] });
    paste(sight, best.match);
    small.behind = half(sight.behind);
    matches.delete(best.cell);
    for (const cell of matches.keys()) if (areNeighbors(cell, best.cell)) matches.set(cell, look(cell));
  }
}

function byGain(left: { match: Match }, right: { match: Match }): number {
  return right.match.gain - left.match.gain;
}

function areNeighbors(one: number, other: number): boolean {
  return Math.abs((one % 3) - (other % 3)) <= 1 && Math.abs(Math.floor(one / 3) - Math.floor(other / 3)) <= 1;
}

/** An image, and what is known to be on it so far. */
interface Sight {
  image: Float32Array;
  behind: Float32Array;
  side: number;
  factor: number;
}

/** The mean square by which the middle of a cell must differ. */
const leastChange = 300;

function coversCell({ image, behind, side }: Sight, cell: number): boolean {
  const [x, y] = centerOf(cell, side);
  const radius = Math.round(side / 16);
  const [left, top, width] = [Math.round(x) - radius, Math.round(y) - radius, 2 * radius + 1];
  let sum = 0;
  for (let row = top; row < top + width; row += 1) {
    for (let at = (row * side + left) * 3; at < (row * side + left + width) * 3; at += 1) {
      sum += ((image[at] as number) - (behind[at] as number)) ** 2;
    }
  }
  return sum / (3 * width * width) > leastChange;
}

function centerOf(cell: number, side: number): [x: number, y: number] {
  return [(((cell % 3) + 0.5) * side) / 3, ((Math.floor(cell / 3) + 0.5) * side) / 3];
}

/** None when no thing explains enough of what is seen. */
function bestMatch(small: Sight, sight: Sight, cell: number, { coarse, fine }: ThingReferences): Match[] {
  const first = coarseSides.flatMap((side) => {
    const [x, y] = centerOf(cell, small.side);
    const corner = { x: Math.round(x - side / 4), y: Math.round(y - side / 4) };
    const around = Math.ceil(reach[side] / 2);
    return coarse(side).map((template) => ({ ...bestPlace(small, template, corner, around, 4), side }));
  });
  const last = first
    .sort(byMatchGain)
    .slice(0, finalists)
    .flatMap(({ template, side, x, y }) =>
      fineSides[side].map((exact) => {
        const shift = Math.round((side - exact) / 2);
        return bestPlace(sight, fine(template, exact), { x: 2 * x + shift, y: 2 * y + shift }, 2, 2);
      }),
    );
  const [best] = last.sort(byMatchGain);
  return best && best.gain > leastShare * possibleGain(sight, best, 2) ? [best] : [];
}

function byMatchGain(left: Match, right: Match): number {
  return right.gain - left.gain;
}

/** The best place around a corner. @param stride 4 compares every fourth pixel */
function bestPlace(
  sight: Sight,
  template: Template,
  corner: { x: number; y: number },
  around: number,
  stride: number,
): Match {
  let best: Match = { template, ...corner, gain: Number.NEGATIVE_INFINITY };
  for (let y = corner.y - around; y <= corner.y + around; y += 1) {
    for (let x = corner.x - around; x <= corner.x + around; x += 1) {
      const gain = gainOf(sight, template, x, y, stride);
      if (gain > best.gain) best = { template, x, y, gain };
    }
  }
  return best;
}

function gainOf({ image, behind, side, factor }: Sight, template: Template, x: number, y: number, stride: number) {
  const { across, down, alpha, values } = template;
  let gain = 0;
  for (let index = 0; index < alpha.length; index += stride) {
    const column = x + (across[index] as number);
    const row = y + (down[index] as number);
    if (column < 0 || row < 0 || column >= side || row >= side) continue;
    const at = (row * side + column) * 3;
    const through = 1 - (alpha[index] as number);
    for (let channel = 0; channel < 3; channel += 1) {
      const seen = image[at + channel] as number;
      const old = behind[at + channel] as number;
      const expected = factor * (values[index * 3 + channel] as number) + through * old;
      gain += (seen - old) ** 2 - (seen - expected) ** 2;
    }
  }
  return gain * stride;
}

/** The gain if the image were exactly the thing over what is behind it. */
function possibleGain(sight: Sight, { template, x, y }: Match, stride: number): number {
  const image = sight.behind.slice();
  paste({ ...sight, behind: image }, { template, x, y });
  return gainOf({ ...sight, image }, template, x, y, stride);
}

/** Makes the thing a part of what is known. */
function paste({ behind, side, factor }: Sight, { template, x, y }: Omit<Match, 'gain'>): void {
  const { across, down, alpha, values } = template;
  for (let index = 0; index < alpha.length; index += 1) {
    const column = x + (across[index] as number);
    const row = y + (down[index] as number);
    if (column < 0 || row < 0 || column >= side || row >= side) continue;
    const at = (row * side + column) * 3;
    for (let channel = 0; channel < 3; channel += 1) {
      const old = behind[at + channel] as number;
      behind[at + channel] = factor * (values[index * 3 + channel] as number) + (1 - (alpha[index] as number)) * old;
    }
  }
}
