/**
 * Pictures of what people see, taken of a finished run in headless Chromium: its report on a desktop, on a phone and in dark
 * mode, the page of all runs, the page that reviews a prompt, and Temporal's UI with the run's own history.
 *
 * Usage: npm run screenshots [-- runs/demo-seed1] [--docs]
 *
 * They go into screenshots/, which git ignores; with --docs those of the documentation go into docs/images too.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import type { Review } from '../cli/prompt-review/review.ts';
import { serveReview } from '../cli/prompt-review/web.ts';
import { connectClient } from '../cli/temporal-client.ts';
import { startTemporalServer } from '../demo/command/temporal-server.ts';
import { poolFolder } from '../src/round/dataset-paths.ts';
import { readFrozenConfig } from '../src/round/frozen-config.ts';
import { reportRuns } from '../src/round/report/report-runs.ts';
import { extensions } from '../workers/extensions.ts';
import type { PromptProgress } from '../workflows/prompt-messages.ts';
import { launchBrowser } from './browser.ts';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { docs: { type: 'boolean' } } });
const runDirectory = resolve(positionals[0] ?? 'runs/demo-seed1');
const run = basename(runDirectory);
const output = 'screenshots';
const docsImages = 'docs/images';

/** Milliseconds for Temporal's UI to load a history and draw it: its connections never become idle. */
const drawn = 8_000;
const timelineHeight = 664;

interface View {
  width: number;
  height: number;
  colorScheme?: 'light' | 'dark';
  /** Waits so long before the picture is taken, in milliseconds. */
  wait?: number;
  /** Also a picture of the documentation. */
  docs?: boolean;
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
  const { width, height, colorScheme = 'light', wait = 0, docs = false } = view;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  try {
    await page.goto(url, { waitUntil: 'load' });
    await sleep(wait);
    const clip = await part?.(page);
    const image = await sharp(await page.screenshot(clip && { clip }))
      .png({ palette: true, effort: 10 })
      .toBuffer();
    for (const folder of [output, ...(docs && values.docs ? [docsImages] : [])]) {
      await writeFile(join(folder, `${name}.png`), image);
      process.stderr.write(`${folder}/${name}.png\n`);
    }
  } finally {
    await page.close();
  }
}

async function takeReports(browser: Browser): Promise<void> {
  const report = pathToFileURL(join(runDirectory, 'report.html')).href;
  const desktop = { width: 1280, height: 900 };
  const phone = { width: 390, height: 844 };
  await take(browser, 'report', report, desktop);
  await take(browser, 'report-dark', report, { ...desktop, colorScheme: 'dark' });
  await take(browser, 'report-phone', report, phone);
  await take(browser, 'report-types-phone', `${report}#section-question-types`, phone);
  await take(browser, 'report-charts', `${report}#section-accuracy`, { width: 1280, height: 1060, docs: true });
  await take(browser, 'report-types-dark', `${report}#section-question-types`, { ...desktop, colorScheme: 'dark' });
  await take(browser, 'report-samples', `${report}#section-samples`, { ...desktop, colorScheme: 'dark', docs: true });
  const { file } = await reportRuns(dirname(runDirectory), extensions);
  await take(browser, 'runs', pathToFileURL(file).href, desktop);
}

/** The page that reviews a prompt, with samples that the teacher has written in the run. Nothing is decided. */
async function takeReview(browser: Browser, folder: string): Promise<void> {
  const images = poolFolder(await readFrozenConfig(runDirectory));
  const lines = (await readFile(join(runDirectory, 'round-1/generate/gptvqa_result.jsonl'), 'utf8')).split('\n', 4);
  const samples = await Promise.all(
    lines.map(async (line) => {
      const { request_id: id, image_id, question_type, raw_instructions: answer } = JSON.parse(line);
      const prompt = `## Question type\n\n${question_type}`;
      return {
        id,
        image_id,
        question_type,
        images: 'same' as const,
        prompt,
        answer,
        image: await images.fileOf(image_id),
      };
    }),
  );
  const files = { promptFile: join(folder, 'prompt.md'), samplesFile: join(folder, 'samples.jsonl') };
  const prompt = 'Write a question about the image.\nAsk only what the facts answer.\n';
  await writeFile(files.promptFile, prompt);
  const current = {
    iteration: 0,
    samples: samples.map(({ id }) => ({ id, images: 'same' as const, dropped: false })),
    ...files,
  };
  const verdicts = [{ sample: samples[0]?.id ?? '', verdict: 'good' as const }];
  const progress: PromptProgress = { phase: 'waiting for verdicts', directory: folder, verdicts, history: [], current };
  const refused = async () => ({ refused: 'This page is for a picture' });
  const review: Review = {
    workflowId: `${run}/prompt`,
    progress: async () => progress,
    samples: async () => samples,
    waitForSamples: async () => ({ progress, samples }),
    waitingFor: async () => undefined,
    judge: refused,
    decide: refused,
    result: async () => ({ iterations: 0, directory: folder }),
  };
  const served = await serveReview(review, { port: 0 });
  try {
    await take(browser, 'review', served.address, { width: 1280, height: 900, wait: 500 });
    await take(browser, 'review-phone', served.address, { width: 390, height: 844, wait: 500 });
  } finally {
    await served.close();
  }
}

/** Of the last round that the history has. */
async function takeTimeline(browser: Browser, folder: string): Promise<void> {
  // A copy: viewing must not change the run's own history.
  await copyFile(join(runDirectory, 'temporal.db'), join(folder, 'temporal.db'));
  const server = await startTemporalServer(folder);
  try {
    const client = await connectClient(server.address);
    let found: { workflowId: string; runId: string } | undefined;
    for await (const { workflowId, runId } of client.workflow.list()) {
      if (!/\/round-\d+$/.test(workflowId)) continue;
      if (found === undefined || workflowId.localeCompare(found.workflowId, 'en', { numeric: true }) > 0)
        found = { workflowId, runId };
    }
    await client.connection.close();
    if (found === undefined) throw new Error(`${runDirectory}/temporal.db has no round`);
    const { workflowId, runId } = found;
    const place = `${server.ui}/namespaces/default/workflows/${encodeURIComponent(workflowId)}/${runId}`;
    const view = { width: 1280, height: 1500, wait: drawn, docs: true };
    await take(browser, 'temporal-round', `${place}/timeline`, view, timeline);
  } finally {
    await server.process.stop(5);
  }
}

/** The chart alone: what is above it shows paths of the machine that the run was made on. */
async function timeline(page: Page): Promise<Clip | undefined> {
  const box = await page.getByRole('heading', { name: 'Timeline' }).first().boundingBox();
  return box === null ? undefined : { x: box.x - 16, y: box.y - 16, width: 992, height: timelineHeight };
}

await mkdir(output, { recursive: true });
const folder = await mkdtemp(join(tmpdir(), 'screenshots-'));
const browser = await launchBrowser();
try {
  await takeReports(browser);
  await takeReview(browser, folder);
  await takeTimeline(browser, folder);
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}
