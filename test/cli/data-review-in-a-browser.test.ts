/** The page of `dataengine data review` in a real browser: its buttons, its keys, and on a telephone. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { serveSampleReview } from '../../cli/data-review/web.ts';
import { launchBrowser } from '../../scripts/browser.ts';
import { openSampleReview } from '../../src/round/review/open-review.ts';
import { reviewedRound } from '../round/review/reviewed-round.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser?.close());

async function openPage(options: Parameters<Browser['newPage']>[0] = {}) {
  const review = await openSampleReview(await reviewedRound(), 'Ada');
  const served = await serveSampleReview(review, { port: 0 });
  onTestFinished(() => served.close());
  const page = await browser.newPage(options);
  onTestFinished(() => page.close());
  const problems: string[] = [];
  page.on('console', (message) => problems.push(message.text()));
  await page.goto(served.address);
  const decisions = async () => (await review.samples()).map(({ decision }) => decision?.decision);
  return { page, served, review, decisions, problems };
}

test('keys keep, edit, reject and turn the pages; a refused edit stays to be corrected', async () => {
  const { page, review, decisions, problems } = await openPage();
  await page.keyboard.press('k');
  await page.getByText('Where is the dog?').first().waitFor();
  await page.keyboard.press('e');
  const question = page.getByLabel('Question');
  expect(await page.evaluate('document.activeElement.name')).toBe('question');
  // Within a text keys are letters.
  await question.fill('k');
  await page.getByLabel('choice A').fill('on the right');
  await page.getByRole('button', { name: 'Keep as edited' }).click();
  await page.getByRole('alert').waitFor();
  expect(await page.getByRole('alert').textContent()).toMatch(/^choices: choices not distinct/);
  expect(await page.getByLabel('Question').inputValue()).toBe('k');
  expect(problems.filter((text) => !text.includes('409'))).toEqual([]);
  await page.getByLabel('choice A').fill('in a basket');
  await page.getByLabel('A is right').check();
  await page.getByLabel('Question').fill('Where does the dog sleep?');
  await page.getByRole('button', { name: 'Keep as edited' }).click();
  await page.getByText('Where is the bus?').first().waitFor();
  await page.keyboard.press('ArrowLeft');
  await page.getByText('Decided: edit, by Ada').waitFor();
  await page.keyboard.press('ArrowRight');
  await page.getByLabel('Why').fill('blurred');
  await page.getByRole('button', { name: 'Reject' }).click();
  await page.getByText('All samples are decided.').waitFor();
  expect(await decisions()).toEqual(['keep', 'edit', 'reject']);
  const [, edited, rejected] = await review.samples();
  expect(edited?.decision?.edited).toMatchObject({ question: 'Where does the dog sleep?', correct: 0 });
  expect(rejected?.decision?.comment).toBe('blurred');
});

test.each(['light', 'dark'] as const)('on a telephone nothing is wider than the screen (%s)', async (colorScheme) => {
  const { page } = await openPage({ viewport: { width: 360, height: 740 }, colorScheme });
  await page.locator('summary').click();
  const width = await page.evaluate('document.documentElement.scrollWidth');
  const scheme = await page.evaluate('getComputedStyle(document.documentElement).colorScheme');
  expect(width).toBeLessThanOrEqual(360);
  expect(scheme).toBe('light dark');
  expect(await page.evaluate("document.querySelector('img').naturalWidth")).toBe(40);
});

test('a form on another page reaches nothing', async () => {
  const { page, served, review, decisions } = await openPage();
  const [sample] = await review.samples();
  await page.goto('about:blank');
  await page.setContent(
    `<form method="post" action="${served.address}"><input name="sample" value="${sample?.key}"><button name="decision" value="keep">Win</button></form>`,
  );
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === 'POST'),
    page.getByRole('button').click(),
  ]);
  expect(answer.status()).toBe(403);
  expect(await decisions()).toEqual([undefined, undefined, undefined]);
});
