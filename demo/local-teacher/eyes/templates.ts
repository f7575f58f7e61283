import { BACKGROUND_DRAWINGS } from '../../scenes/backgrounds.ts';
import { drawElements, paintOf } from '../../scenes/render.ts';
import { SHAPES } from '../../scenes/shapes.ts';
import {
  BACKGROUNDS,
  type Background,
  CATEGORY_NAMES,
  type CategoryName,
  COLORS,
  type Color,
} from '../../scenes/vocabulary.ts';
import { halved } from './pixels.ts';

/** Side of the square that images are compared at, in pixels. */
export const canvasSide = 160;

/** How a thing of one category and color looks at one size: its pixels that are not transparent. */
export interface Template {
  category: CategoryName;
  color: Color;
  /** Side of its box in pixels of the canvas. */
  side: number;
  /** Of each pixel, relative to the box's corner. */
  across: Int16Array;
  down: Int16Array;
  /** 0 to 1. */
  alpha: Float32Array;
  /** Red, green and blue of each pixel, 0 to 255, multiplied by its alpha. */
  values: Float32Array;
}

/** RGB, [canvasSide, canvasSide, 3]. */
export type Backgrounds = ReadonlyMap<Background, Float32Array>;

/** What things are compared with. */
export interface ThingReferences {
  /** All things of a size, for the search at half the resolution, in its pixels. */
  coarse: (side: CoarseSide) => readonly Template[];
  /** How a thing looks at one of the sides around. */
  fine: (thing: Thing, side: number) => Template;
}

/** The sides that the search starts from, and those around each. */
export const fineSides = { 28: [26, 27, 28, 29, 30], 48: [47, 48, 49] } as const;
export type CoarseSide = keyof typeof fineSides;
export const coarseSides: readonly CoarseSide[] = [28, 48];

interface Thing {
  category: CategoryName;
  color: Color;
}

/** Standard deviations in pixels: of a blurry image, and of the softness of a scaled one. */
export type Blur = readonly [blurry: number, scaled: number];

/** Each is drawn once. */
function once<T>(draw: (blur: Blur) => Promise<T>): (blur: Blur) => Promise<T> {
  const drawn = new Map<string, Promise<T>>();
  return (blur) => {
    const known = drawn.get(blur.join()) ?? draw(blur);
    drawn.set(blur.join(), known);
    return known;
  };
}

export const loadBackgrounds = once(async (blur): Promise<Backgrounds> => {
  const backgrounds = new Map<Background, Float32Array>();
  for (const name of BACKGROUNDS) {
    const drawn = await drawElements(BACKGROUND_DRAWINGS[name], { width: canvasSide, height: canvasSide, blur });
    backgrounds.set(
      name,
      Float32Array.from(drawn).filter((_, at) => at % 4 < 3),
    );
  }
  return backgrounds;
});

export const loadThings = once(async (blur): Promise<ThingReferences> => {
  const sheets = new Map<number, Sheet>();
  for (const side of Object.values(fineSides).flat()) sheets.set(side, await drawSheet(side, blur));
  const coarse = new Map(coarseSides.map((side) => [side, cutAll(halfOf(sheets.get(side) as Sheet))]));
  const fine = new Map<string, Template>();
  return {
    coarse: (side) => coarse.get(side) as Template[],
    fine: (thing, side) => {
      const key = `${side} ${thing.color} ${thing.category}`;
      const template = fine.get(key) ?? cutTemplate(sheets.get(side) as Sheet, thing);
      fine.set(key, template);
      return template;
    },
  };
});

/** All things at one size: a row for each color, a column for each category. Drawn at once, much faster than one by one. */
interface Sheet {
  /** RGBA, the colors not multiplied by alpha. */
  pixels: ArrayLike<number>;
  width: number;
  /** Side of a cell. */
  cell: number;
  /** Around a box in its cell: halo and blur reach over it. */
  margin: number;
  /** Of the box, in pixels of the canvas. */
  side: number;
}

const margin = 10;
const placeOf = ({ category, color }: Thing) => [CATEGORY_NAMES.indexOf(category), COLORS.indexOf(color)] as const;
const things: readonly Thing[] = COLORS.flatMap((color) => CATEGORY_NAMES.map((category) => ({ category, color })));

async function drawSheet(side: number, blur: Blur): Promise<Sheet> {
  const cell = side + 2 * margin + (side % 2);
  const drawings = things.map((thing) => {
    const [column, row] = placeOf(thing);
    const place = `translate(${column * cell + margin} ${row * cell + margin}) scale(${side / 100})`;
    return `<g transform="${place}">${SHAPES[thing.category](paintOf(thing.color))}</g>`;
  });
  const width = CATEGORY_NAMES.length * cell;
  const pixels = await drawElements(drawings.join(''), { width, height: COLORS.length * cell, blur });
  return { pixels, width, cell, margin, side };
}

function halfOf({ pixels, width, cell, side }: Sheet): Sheet {
  const solid = Float32Array.from(pixels);
  for (let at = 0; at < solid.length; at += 4) {
    for (let channel = 0; channel < 3; channel += 1) solid[at + channel] = multiplied(pixels, at, channel);
  }
  const half = halved(solid, width, COLORS.length * cell, 4);
  for (let at = 0; at < half.length; at += 4) {
    const alpha = (half[at + 3] as number) / 255;
    for (let channel = 0; channel < 3 && alpha > 0; channel += 1)
      half[at + channel] = (half[at + channel] ?? 0) / alpha;
  }
  return { pixels: half, width: width / 2, cell: cell / 2, margin: margin / 2, side };
}

function multiplied(pixels: ArrayLike<number>, at: number, channel: number): number {
  return ((pixels[at + channel] as number) * (pixels[at + 3] as number)) / 255;
}

function cutAll(sheet: Sheet): Template[] {
  return things.map((thing) => cutTemplate(sheet, thing));
}

function cutTemplate(sheet: Sheet, thing: Thing): Template {
  const { pixels, width, cell } = sheet;
  const [column, row] = placeOf(thing);
  const [across, down, alpha, values] = [[], [], [], []] as [number[], number[], number[], number[]];
  for (let y = 0; y < cell; y += 1) {
    for (let x = 0; x < cell; x += 1) {
      const at = ((row * cell + y) * width + column * cell + x) * 4;
      const share = (pixels[at + 3] as number) / 255;
      if (share < 0.02) continue;
      across.push(x - sheet.margin);
      down.push(y - sheet.margin);
      alpha.push(share);
      for (let channel = 0; channel < 3; channel += 1) values.push(multiplied(pixels, at, channel));
    }
  }
  return {
    ...thing,
    side: sheet.side,
    across: Int16Array.from(across),
    down: Int16Array.from(down),
    alpha: Float32Array.from(alpha),
    values: Float32Array.from(values),
  };
}
