import { parse, View } from 'vega';
import { type Config, compile, type TopLevelSpec } from 'vega-lite';
import type { Html } from './html.ts';

/** Each has a contrast of 3 or more with the page in both modes. */
export const seriesColors = [
  ...['#3a7fd0', '#c96a12', '#2a9365', '#c2558a', '#7f6bd0'],
  ...['#94801f', '#3590a0', '#cc5344', '#7a7f87', '#9c6a4a'],
];
/** A number that shares no factor with that of the colors. */
export const seriesShapes = [
  ...(['circle', 'square', 'triangle-up', 'diamond'] as const),
  ...(['triangle-down', 'cross', 'triangle-right'] as const),
];
/** Lengths of dashes and gaps; the first is a line without gaps. */
export const seriesDashes = [
  [1, 0],
  [7, 3],
  [2, 3],
  [9, 3, 2, 3],
];

// `currentColor` is the color of the page's text, so that charts are readable in light and dark mode.
const ink = 'currentColor';
const config: Config = {
  background: 'transparent',
  // Each chart is an image with a name for who can't see it.
  aria: false,
  font: 'system-ui, sans-serif',
  view: { stroke: null },
  axis: {
    labelColor: ink,
    titleColor: ink,
    domainColor: ink,
    tickColor: ink,
    gridColor: ink,
    gridOpacity: 0.15,
    domainOpacity: 0.5,
    tickOpacity: 0.5,
    labelLimit: 260,
    titleFontWeight: 'normal',
  },
  legend: { labelColor: ink, titleColor: ink, labelLimit: 260, orient: 'top', labelFontSize: 11 },
  header: { labelColor: ink, titleColor: ink, labelFontSize: 11 },
  range: { category: seriesColors, symbol: [...seriesShapes] },
};

/** Draws a chart to an SVG element for use inside an HTML page, without a browser. */
export async function drawChart(spec: TopLevelSpec): Promise<Html> {
  const view = new View(parse(compile(spec, { config }).spec), { renderer: 'none' });
  try {
    return plain(await view.toSVG());
  } finally {
    view.finalize();
  }
}

// Namespaces have no meaning inside HTML, and without them the page contains no address at all. Roles of the marks would be
// read out one by one: a chart has one name.
function plain(svg: string): Html {
  return svg
    .replace(/^<svg[^>]*>/, (tag) => tag.replace(/ xmlns(:\w+)?="[^"]*"/g, ''))
    .replace(/ role="graphics-(symbol|object)" aria-roledescription="[^"]*"/g, '');
}
