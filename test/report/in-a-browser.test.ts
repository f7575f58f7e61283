/**
 * The report as a person sees it, in a real browser.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../../scripts/browser.ts';
import { writeRunsPage } from '../../src/report/runs-page.ts';
import { writeSamplePage } from '../../src/report/sample-page.ts';
import { writeReport } from '../../src/report/write-report.ts';
import { checkAccessibility } from '../helpers/accessibility.ts';
import { sampleReport, sampleRound } from './sample-report.ts';

let folder: string;
let browser: Browser;

const pathOf = (name: string) => join(folder, `${name}.html`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dataengine-'));
  const image = join(folder, 'image.png');
  await sharp({ create: { width: 320, height: 240, channels: 3, background: 'teal' } }).toFile(image);
  await writeReport({ ...sampleReport(image), output: pathOf('report') });
  await writeReport({ ...sampleReport(image, 23), output: pathOf('long') });
  const run = (name: string, rounds: number) => ({
    run: name,
    status: { state: 'stopped' as const, text: 'round 1 of 2, in finetune; last written 2026-11-29 18:40 UTC' },
    settings: [{ label: 'Teacher', value: 'gpt-4o-2024-08-06' }],
    rounds: Array.from({ length: rounds }, (_, number) => sampleRound(number)),
  });
  const runs = Array.from({ length: 12 }, (_, index) => run(`run-${index}`, index));
  await writeRunsPage(pathOf('runs'), { runs, unreadable: [{ run: 'old', problem: 'no config.json' }] });
  await writeSamplePage(pathOf('samples'), 'Samples', [
    { name: 'new', samples: [{ image, answer: 'a', question: 'Which?', choices: ['a', 'b'], correct: 0 }] },
  ]);
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Opens the report; whatever the browser complains of is in `complaints`. */
async function open(
  options: BrowserContextOptions = {},
  name = 'report',
): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => complaints.push(`a dialog: ${dialog.message()}`));
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) complaints.push(`a request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(pathOf(name)).href);
  return { page, complaints };
}

/** What of the browser the functions use that run in it. */
interface Browserlike {
  getComputedStyle(element: object): { textAlign: string; backgroundColor: string };
}

const visible = (page: Page, gallery: string) => page.locator(`#${gallery} article:visible`).count();

describe('the report in a browser', () => {
  test('shows charts and images, and nothing is asked for, refused or run', async () => {
    const { page, complaints } = await open();
    // Accuracy twice, loss, time, cost and lineage.
    expect(await page.locator('svg:visible').count()).toBe(6);
    const loaded = await page
      .locator('article img')
      .evaluateAll((images) => images.every((image) => (image as { naturalWidth?: number }).naturalWidth === 160));
    expect(loaded).toBe(true);
    expect(await page.getByText('attribute_<script>alert(1)</script>').count()).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
  });

  test('cards can be filtered by several labels at once', async () => {
    const { page } = await open();
    expect(await visible(page, 'bad-cases')).toBe(24);
    const lists = page.locator('#bad-cases select');
    await lists.nth(1).selectOption({ label: 'spatial_relationship (8)' });
    expect(await visible(page, 'bad-cases')).toBe(8);
    await lists.nth(0).selectOption({ label: 'fixed: right now (6)' });
    const kept = await page.locator('#bad-cases article:visible .question').allTextContents();
    expect(kept).toEqual(['Question 9 about <b>bold</b>?', 'Question 21 about <b>bold</b>?']);
    expect(await visible(page, 'generated')).toBe(12);
    await lists.nth(0).selectOption({ label: 'all' });
    await lists.nth(1).selectOption({ label: 'all' });
    expect(await visible(page, 'bad-cases')).toBe(24);
  });

  test('the first screen has score before and after, each decision, samples, tokens, cost, time and what stands out', async () => {
    const { page } = await open();
    const verdict = page.locator('#verdict');
    const box = await verdict.boundingBox();
    expect((box?.y ?? 0) + (box?.height ?? Infinity)).toBeLessThanOrEqual(900);
    const text = ((await verdict.textContent()) ?? '').replaceAll('\u00a0', ' ');
    for (const part of [
      'Better. From round 0 to round 2, multiple choice went from 38.8 % to 45.4 %: gain of 6.6 points is significant',
      '300',
      '3,000,000',
      '6.50 USD',
      '5 min 30 s',
      'built upon: gain of 3.3 points is not significant (p 0.055, 183 questions)',
      'spatial_relationship gained most: 66.7 % → 53.3 % wrong (p < 0.001, 120 questions), sampled 400 times',
      'object_localization got worse although sampled most: 50.0 % → 56.7 % wrong',
      'attribute_<script>alert(1)</script>: too few questions to say (3; it takes 6)',
      'The budget ended the run after round 2: 200.10 of 200.00 USD are spent',
    ])
      expect(text).toContain(part);
  });

  test('the first screen of a long run has its last rounds, and folds the others', async () => {
    const { page } = await open({}, 'long');
    const box = await page.locator('#verdict').boundingBox();
    expect((box?.y ?? 0) + (box?.height ?? Infinity)).toBeLessThanOrEqual(900);
    const shown = page.locator('#verdict table').first().locator('tbody tr');
    expect(await shown.count()).toBe(10);
    expect(await shown.first().locator('th').textContent()).toBe('14');
    const folds = page.locator('#verdict details');
    expect(await folds.locator('summary').allTextContents()).toEqual(['Rounds 10 to 13', 'Rounds 0 to 9']);
    expect(await folds.first().locator('tr').first().isVisible()).toBe(false);
    await folds.nth(1).locator('summary').click();
    expect(await folds.nth(1).locator('tbody tr').first().textContent()).toContain('first round');
    // The rest of the report has no more columns either.
    const columns = await page
      .locator('main table:visible')
      .evaluateAll((tables) =>
        tables.map((one) => (one as unknown as { rows: { cells: unknown[] }[] }).rows[0]?.cells.length ?? 0),
      );
    expect(Math.max(...columns)).toBeLessThanOrEqual(14);
  });

  test('columns of texts are left-aligned, columns of figures right-aligned, heads as their cells', async () => {
    const { page } = await open();
    const alignments = await page.locator('main tr').evaluateAll((rows) =>
      rows.flatMap((row) =>
        [...(row as unknown as { cells: object[] }).cells].map((cell) => {
          const { textContent, className } = cell as { textContent: string; className: string };
          return [textContent, className, (globalThis as never as Browserlike).getComputedStyle(cell).textAlign];
        }),
      ),
    );
    const of = (text: string) => alignments.filter(([one]) => one === text).map(([, , align]) => align);
    expect(new Set(of('Decision'))).toEqual(new Set(['left']));
    expect(new Set(of('duplicate'))).toEqual(new Set(['left']));
    expect(new Set(of('Teacher tokens'))).toEqual(new Set(['right']));
    expect(new Set(of('2,000,000'))).toEqual(new Set(['right']));
  });

  test('question types are sorted by error, and shaded from white at 0', async () => {
    const { page } = await open();
    const names = await page.locator('.heat').first().locator('tbody th').allTextContents();
    expect(names).toEqual(['attribute_<script>alert(1)</script>', 'object_localization', 'spatial_relationship']);
    const shade = (share: number) =>
      page
        .locator('.heat td span')
        .first()
        .evaluate((element, value) => {
          const cell = element as unknown as { style: { setProperty(name: string, value: string): void } };
          cell.style.setProperty('--share', String(value));
          return (globalThis as never as Browserlike).getComputedStyle(element).backgroundColor;
        }, share);
    expect(await shade(0)).toMatch(/^(rgb\(255, 255, 255\)|color\(srgb 1 1 1\))$/);
    expect(await shade(1)).not.toBe(await shade(0));
  });

  test.each(['report', 'long', 'runs', 'samples'])(
    'of the page %s a phone shows everything, without scrolling sideways',
    async (name) => {
      const { page } = await open({ viewport: { width: 390, height: 844 } }, name);
      await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
      const clipped = await page.evaluate(`[...document.querySelectorAll('body *')].filter((element) => {
      if (element.closest('svg') && element.tagName !== 'svg') return false;
      const { left, right, width } = element.getBoundingClientRect();
      return width > 0 && (left < -0.5 || right > 390.5 || element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0);
    }).map((element) => element.outerHTML.slice(0, 120))`);
      expect(clipped).toEqual([]);
    },
  );

  test.each(['report', 'long', 'samples'])('tables of the page %s fit a desktop', async (name) => {
    const { page } = await open({}, name);
    const wide = await page.evaluate(`[...document.querySelectorAll('.scroll:not(.lineage)')]
      .filter((element) => element.scrollWidth > element.clientWidth).map((element) => element.ariaLabel)`);
    expect(wide).toEqual([]);
  });

  test.each(['report', 'runs'])(
    'the charts of the page %s take the width that there is, and no text in them is cut',
    async (name) => {
      for (const width of [390, 800, 1280]) {
        const { page } = await open({ viewport: { width, height: 900 } }, name);
        const inner = await page.evaluate<number>("document.querySelector('main').clientWidth");
        const charts = await page
          .locator('figure:visible')
          .evaluateAll((figures) => figures.map((one) => one.getBoundingClientRect()));
        // Each row of charts is as wide as the page.
        for (const top of new Set(charts.map((one) => one.top))) {
          const row = charts.filter((one) => one.top === top);
          const taken = Math.max(...row.map(({ right }) => right)) - Math.min(...row.map(({ left }) => left));
          expect(taken).toBeGreaterThan(inner - 2);
        }
        const cut = await page.evaluate(`[...document.querySelectorAll('figure svg')].flatMap((svg) => {
        const frame = svg.getBoundingClientRect();
        return frame.width === 0 ? [] : [...svg.querySelectorAll('text')].filter((text) => {
          const { left, right, width } = text.getBoundingClientRect();
          return width > 0 && (left < frame.left - 1 || right > frame.right + 1);
        }).map((text) => text.textContent);
      })`);
        expect(cut).toEqual([]);
        await page.close();
      }
    },
  );

  describe.each(['report', 'long', 'runs', 'samples'])('the page %s', (name) => {
    test.each([
      ['light', 1280],
      ['dark', 1280],
      ['light', 390],
      ['dark', 390],
    ] as const)('keeps to WCAG AA in %s at %s px', async (colorScheme, width) => {
      const { page } = await open({ colorScheme, viewport: { width, height: 900 } }, name);
      const { violations, contrasts } = await checkAccessibility(page);
      expect(violations).toEqual([]);
      expect(contrasts).toBeGreaterThan(name === 'samples' ? 3 : 50);
    });
  });
});
