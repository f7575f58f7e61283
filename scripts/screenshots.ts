/**
 * The README's images, taken of a finished run in headless Chromium: Temporal's UI and the report.
 *
 * Usage: npm run screenshots [-- runs/demo-seed1]
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { connectClient } from '../cli/temporal-client.ts';
import { startTemporalServer } from '../demo/command/temporal-server.ts';
import { launchBrowser } from './browser.ts';

const OUTPUT = 'docs/images';
const runDirectory = resolve(process.argv[2] ?? 'runs/demo-seed1');
const run = basename(runDirectory);
/** Milliseconds for the UI to load a history and draw it: its connections never become idle. */
const DRAWN = 8_000;
const TIMELINE_HEIGHT = 620;

interface View {
  width: number;
  height: number;
  colorScheme?: 'light' | 'dark';
}

interface Clip {
  x: number;
  y: number;
  width: number;
  height: number;
}

async function take(
  browser: Browser,
  name: string,
  url: string,
  view: View,
  part?: (page: Page) => Promise<Clip | undefined>,
): Promise<void> {
  const { width, height, colorScheme = 'light' } = view;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  try {
    await page.goto(url, { waitUntil: 'load' });
    await sleep(DRAWN);
    const clip = await part?.(page);
    const image = await page.screenshot(clip && { clip });
    await writeFile(join(OUTPUT, `${name}.png`), await sharp(image).png({ palette: true, effort: 10 }).toBuffer());
    process.stderr.write(`${OUTPUT}/${name}.png\n`);
  } finally {
    await page.close();
  }
}

/** The chart alone: what is above it shows paths of the machine that the run was made on. */
async function timeline(page: Page): Promise<Clip | undefined> {
  const box = await page.getByRole('heading', { name: 'Timeline' }).first().boundingBox();
  return box === null ? undefined : { x: box.x - 16, y: box.y - 16, width: 992, height: TIMELINE_HEIGHT };
}

await mkdir(OUTPUT, { recursive: true });
const folder = await mkdtemp(join(tmpdir(), 'screenshots-'));
const browser = await launchBrowser();
try {
  // A copy: viewing must not change the run's own history.
  await copyFile(join(runDirectory, 'temporal.db'), join(folder, 'temporal.db'));
  const server = await startTemporalServer(folder);
  try {
    const client = await connectClient(server.address);
    const round = `${run}/round-2`;
    const { runId } = await client.workflow.getHandle(round).describe();
    await client.connection.close();
    const place = `${server.ui}/namespaces/default/workflows/${encodeURIComponent(round)}/${runId}/timeline`;
    await take(browser, 'temporal-round', place, { width: 1280, height: 1500 }, timeline);
  } finally {
    await server.process.stop(5);
  }
  const report = pathToFileURL(join(runDirectory, 'report.html')).href;
  await take(browser, 'report-charts', `${report}#section-accuracy-and-loss`, { width: 1280, height: 900 });
  await take(browser, 'report-samples', `${report}#section-generated-samples`, {
    width: 1280,
    height: 900,
    colorScheme: 'dark',
  });
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}
