/** A chart of a few bars: its data, what it looks like, and what can be said of it. */
import sharp from 'sharp';
import { parse, type Runtime, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { SeededRandom } from '../../src/core/seeded-random.ts';

const FILLS = {
  red: '#e3211c',
  orange: '#ff8a14',
  yellow: '#ffe11f',
  green: '#18a038',
  blue: '#1f5fe0',
  purple: '#8f2fd6',
  black: '#141414',
  gray: '#a0a0a0',
} as const;

export type Color = keyof typeof FILLS;
export const COLORS = Object.keys(FILLS) as Color[];
export const DIRECTIONS = ['columns', 'rows'] as const;
export type Direction = (typeof DIRECTIONS)[number];
export const FEWEST_BARS = 3;
export const MOST_BARS = 7;
/** A bar ends at one of so many grid lines. */
export const LONGEST = 8;

export interface Bar {
  color: Color;
  /** Grid lines, 1 to `LONGEST`. */
  length: number;
}

export interface Chart {
  direction: Direction;
  /** From left to right, or from top to bottom; no two have one color. */
  bars: Bar[];
}

/** Side of the image in pixels. */
const SIDE = 192;
const MARGIN = 8;

/** Number, order and colors of the bars say nothing of their lengths. */
export function randomChart(random: SeededRandom): Chart {
  const count = FEWEST_BARS + random.integer(MOST_BARS - FEWEST_BARS + 1);
  const colors = random.shuffle(COLORS).slice(0, count);
  return {
    direction: random.pick(DIRECTIONS),
    bars: colors.map((color) => ({ color, length: 1 + random.integer(LONGEST) })),
  };
}

/** The sentences that a description of the chart consists of. */
export function factsOf({ direction, bars }: Chart): string[] {
  return [
    `The chart has ${bars.length} bars, drawn as ${direction}.`,
    ...bars.map(({ color, length }, index) => `Bar ${index + 1} is ${color} and ${length} long.`),
  ];
}

/** Reads `factsOf` back; undefined for other sentences. */
export function chartOfFacts(facts: string): Chart | undefined {
  const direction = DIRECTIONS.find((one) => facts.includes(`bars, drawn as ${one}.`));
  const bars = [...facts.matchAll(/Bar \d+ is (\w+) and (\d+) long\./g)].map(
    ([, color, length]): Bar => ({ color: color as Color, length: Number(length) }),
  );
  return direction === undefined || bars.length === 0 ? undefined : { direction, bars };
}

const templates = new Map<Direction, Runtime>();

/** The same for all charts of a direction: only their data differ. */
function templateOf(direction: Direction): Runtime {
  const known = templates.get(direction);
  if (known) return known;
  const bars = { field: 'bar', type: 'ordinal', axis: null, scale: { domain: places(), paddingInner: 0.25 } } as const;
  const lengths = {
    field: 'length',
    type: 'quantitative',
    scale: { domainMin: 0, domainMax: LONGEST },
    axis: { tickCount: LONGEST, grid: true, gridColor: '#c8c8c8', labels: false, ticks: false, title: null },
  } as const;
  const specification: TopLevelSpec = {
    width: SIDE - 2 * MARGIN,
    height: SIDE - 2 * MARGIN,
    padding: MARGIN,
    autosize: 'none',
    background: 'white',
    data: { name: 'bars', values: [] },
    mark: { type: 'bar', stroke: '#262626' },
    encoding: {
      ...(direction === 'columns' ? { x: bars, y: lengths } : { y: bars, x: lengths }),
      color: { field: 'fill', type: 'nominal', scale: null },
    },
  };
  const template = parse(compile(specification).spec);
  templates.set(direction, template);
  return template;
}

/** All charts have the same places for bars, so that a bar's width does not tell how many there are. */
function places(): number[] {
  return Array.from({ length: MOST_BARS }, (_, index) => index);
}

async function toSvg({ direction, bars }: Chart): Promise<string> {
  const view = new View(templateOf(direction), { renderer: 'none' });
  try {
    const rows = bars.map(({ color, length }, bar) => ({ bar, length, fill: FILLS[color] }));
    return await view.data('bars', rows).toSVG();
  } finally {
    view.finalize();
  }
}

/** PNG bytes; the same chart gives the same bytes. */
export async function renderChart(chart: Chart): Promise<Buffer> {
  return sharp(Buffer.from(await toSvg(chart)))
    .removeAlpha()
    .png()
    .toBuffer();
}

/** RGB bytes `[size, size, 3]`, as a model's preprocessing sees the chart. */
export async function chartPixels(chart: Chart, size: number): Promise<Uint8Array> {
  return sharp(Buffer.from(await toSvg(chart)))
    .removeAlpha()
    .resize(size, size, { kernel: 'cubic', fit: 'fill' })
    .raw()
    .toBuffer();
}

/** Where bar `index` is, as shares of the image's width and height: left, top, right, bottom. */
export function boxOfBar({ direction, bars }: Chart, index: number): [number, number, number, number] {
  const length = (bars[index] as Bar).length / LONGEST;
  const inner = 1 - (2 * MARGIN) / SIDE;
  const at = (share: number) => MARGIN / SIDE + share * inner;
  const [start, end] = [at(index / MOST_BARS), at((index + 1) / MOST_BARS)];
  return direction === 'columns' ? [start, at(1 - length), end, at(1)] : [at(0), start, at(length), end];
}
