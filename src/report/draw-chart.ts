import { parse, View } from 'vega';
import { type Config, compile, type TopLevelSpec } from 'vega-lite';
import type { Html } from './html.ts';

// `currentColor` is the color of the page's text, so that charts are readable in light and dark mode.
const ink = 'currentColor';
const config: Config = {
  background: 'transparent',
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
  range: { category: ['#4c8bd6', '#e08a2c', '#3aa67a', '#c65b8f', '#8f7bd1', '#b39b2e', '#4aa3b5', '#d0604f'] },
};

/** Draws a chart to an SVG element for use inside an HTML page, without a browser. */
export async function drawChart(spec: TopLevelSpec): Promise<Html> {
  const view = new View(parse(compile(spec, { config }).spec), { renderer: 'none' });
  try {
    return withoutNamespaces(await view.toSVG());
  } finally {
    view.finalize();
  }
}

// They have no meaning inside HTML, and without them the page contains no address at all.
function withoutNamespaces(svg: string): Html {
  return svg.replace(/^<svg[^>]*>/, (tag) => tag.replace(/ xmlns(:\w+)?="[^"]*"/g, ''));
}
