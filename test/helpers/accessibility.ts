/** What axe-core finds wrong with a page in the browser, by the rules of WCAG 2.2's levels A and AA. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

const levels = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/**
 * Opens all that is folded, and checks it too.
 *
 * @returns each violation as rule, element and explanation; and how many texts' contrast was computed
 */
export async function checkAccessibility(page: Page): Promise<{ violations: string[]; contrasts: number }> {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
  // Not as a script of the page, which its policy would refuse.
  await page.evaluate(source);
  const results = await page.evaluate<AxeResults>(`axe.run(document, { runOnly: ${JSON.stringify(levels)} })`);
  // What it can't decide about contrast counts as wrong, but for the text of charts, which must have the page's color.
  const undecided = results.incomplete
    .filter(({ id }) => id === 'color-contrast')
    .map((rule) => ({ ...rule, nodes: rule.nodes.filter(({ html }) => !html.startsWith('<text')) }));
  const chartColors = await page.evaluate<string[]>(
    "[...new Set([...document.querySelectorAll('svg text')].map((text) => getComputedStyle(text).fill))]",
  );
  const ink = await page.evaluate<string>('getComputedStyle(document.body).color');
  const found = [...results.violations, ...undecided].flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${html.slice(0, 160)}: ${failureSummary}`),
  );
  const passed = results.passes.find(({ id }) => id === 'color-contrast')?.nodes ?? [];
  found.push(...chartColors.filter((color) => color !== ink).map((color) => `text of a chart: ${color}, not ${ink}`));
  return { violations: found, contrasts: passed.length };
}
