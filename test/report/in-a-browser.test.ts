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
import type { ReportBadCase, ReportInput, ReportRound } from '../../src/report/report-input.ts';
import { writeReport } from '../../src/report/write-report.ts';

const types = ['spatial_relationship', 'object_localization', 'attribute_<script>alert(1)</script>'];

function round(number: number): ReportRound {
  const byType = (value: number) => Object.fromEntries(types.map((type, index) => [type, value / (index + 1)]));
  const score = 0.6 + number / 20;
  return {
    round: number,
    validation: { mc: score, da: score, errorByType: byType(0.6 - number / 10) },
    test: { mc: score - 0.02, da: score - 0.02 },
    benchmarks: ['validation', 'test'].flatMap((set) =>
      ['multipleChoice', 'directAnswer'].map((measure) => ({
        set,
        title: 'A-OKVQA',
        measure,
        value: score,
        low: score - 0.03,
        high: score + 0.03,
        count: 300,
        unanswered: 0,
        groups: {},
      })),
    ),
    weights: number === 0 ? {} : byType(0.6),
    sampledByType: number === 0 ? {} : byType(300),
    samplesAdded: number * 100,
    rejectedByReason: number === 0 ? {} : { duplicate: 3 },
    teacherTokens: number * 1000,
    secondsByStep: { finetune: 100, evaluate: 10 },
    lossCurve: Array.from({ length: 50 }, (_, step) => ({ step: step + 1, loss: 3 / (step + 1) })),
  };
}

function reportInput(image: string): ReportInput {
  const badCase = (index: number): ReportBadCase => ({
    image,
    questionType: types[index % types.length] as string,
    question: `Question ${index} about <b>bold</b>?`,
    choices: ['a', 'b', 'c', 'd'],
    correct: 1,
    chosen: [0, index % 2, index % 4 === 1 ? 1 : 2],
  });
  const rounds = [0, 1, 2].map(round);
  return {
    run: 'nightly',
    configSummary: [
      { label: 'LoRA', value: 'rank 32, alpha 64, on q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj' },
    ],
    rounds,
    badCases: Array.from({ length: 24 }, (_, index) => badCase(index)),
    generated: Array.from({ length: 12 }, (_, index) => ({ ...badCase(index), round: 1 + (index % 2) })),
    rejected: [{ round: 1, image, reason: 'duplicate', detail: 'the same', raw: 'x'.repeat(2000) }],
    lineage: {
      nodes: rounds.map((_, index) => ({ id: `${index}`, kind: 'adapter', details: ['0123456789ab'], round: index })),
      edges: [{ from: '0', to: '1' }],
    },
  };
}

let folder: string;
let browser: Browser;
let address: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dataengine-'));
  const image = join(folder, 'image.png');
  await sharp({ create: { width: 320, height: 240, channels: 3, background: 'teal' } }).toFile(image);
  const output = join(folder, 'report.html');
  await writeReport({ ...reportInput(image), output });
  address = pathToFileURL(output).href;
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Opens the report; whatever the browser complains of is in `complaints`. */
async function open(options: BrowserContextOptions = {}): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => complaints.push(`a dialog: ${dialog.message()}`));
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) complaints.push(`a request: ${request.url()}`);
  });
  await page.goto(address);
  return { page, complaints };
}

const visible = (page: Page, gallery: string) => page.locator(`#${gallery} article:visible`).count();

describe('the report in a browser', () => {
  test('shows charts and images, and nothing is asked for, refused or run', async () => {
    const { page, complaints } = await open();
    expect(await page.locator('svg:visible').count()).toBe(7);
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

  test('fits a phone: only tables, charts and the lineage scroll sideways, each by itself', async () => {
    const { page } = await open({ viewport: { width: 390, height: 844 } });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  });

  test.each(['light', 'dark'] as const)('every text can be read in %s', async (colorScheme) => {
    const { page } = await open({ colorScheme });
    // Relative luminance and contrast as WCAG 2.2 defines them; 4.5 is its level AA.
    const worst = await page.evaluate(`(() => {
      const luminance = (color) => {
        const [red, green, blue] = color.match(/[\\d.]+/g).map(Number).map((value) => value / 255)
          .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      };
      const background = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        return color === 'rgba(0, 0, 0, 0)' && element.parentElement ? background(element.parentElement) : color;
      };
      const texts = [...document.querySelectorAll('h1, h2, a, th, td, p, li, li span, figcaption, pre, label, select, summary')];
      const contrasts = texts.map((element) => {
        const [one, other] = [luminance(getComputedStyle(element).color), luminance(background(element))];
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      });
      return Math.min(...contrasts);
    })()`);
    expect(worst).toBeGreaterThan(4.5);
  });
});
