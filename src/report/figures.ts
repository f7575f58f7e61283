/** Charts in a page: two beside one another on a wide page, one on a phone, each drawn for its width. */
import type { Chart } from './charts.ts';
import { drawChart } from './draw-chart.ts';
import { escapeHtml, type Html } from './html.ts';

export interface Figure {
  caption: string;
  chart: Chart;
}

/** In px: half of a wide page, all of it, a phone of 390 px without its margins. */
const widths = { half: 556, whole: 1144, phone: 358 };

/** The last of an odd number takes the whole width. */
export async function figures(list: readonly Figure[]): Promise<Html> {
  if (list.length === 0) return '<p>Nothing to show yet.</p>';
  const drawn: Html[] = [];
  for (const [index, { caption, chart }] of list.entries()) {
    const isWhole = index === list.length - 1 && list.length % 2 === 1;
    const label = (svg: Html) => svg.replace('<svg', `<svg role="img" aria-label="${escapeHtml(caption)}"`);
    const wide = label(await drawChart(chart(isWhole ? widths.whole : widths.half)));
    const narrow = label(await drawChart(chart(widths.phone)));
    drawn.push(
      `<figure${isWhole ? ' class="whole"' : ''}><figcaption>${escapeHtml(caption)}</figcaption>` +
        `<div class="wide">${wide}</div><div class="narrow">${narrow}</div></figure>`,
    );
  }
  return `<div class="charts">${drawn.join('\n')}</div>`;
}
