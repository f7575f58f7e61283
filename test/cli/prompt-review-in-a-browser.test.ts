/** The buttons of the page, clicked in a real browser: what it sends with a form is the browser's own. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { serveReview } from '../../cli/prompt-review/web.ts';
import { launchBrowser } from '../../scripts/browser.ts';
import { playedReview } from './played-review.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser?.close());

test('every button is taken: a verdict, a verdict with its reason, the decision', async () => {
  const { review, verdicts, decisions } = await playedReview();
  const served = await serveReview(review, { port: 0 });
  onTestFinished(() => served.close());
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  const answers: number[] = [];
  page.on('response', (response) => {
    if (response.request().method() === 'POST') answers.push(response.status());
  });

  await page.goto(served.address);
  expect(await page.locator('button').allTextContents()).toEqual([
    'Good',
    'Bad',
    'Good',
    'Bad',
    'Have the teacher revise it',
    'Accept this prompt',
    'Stop',
  ]);
  await page.locator('form').nth(0).getByRole('button', { name: 'Good' }).click();
  await page.waitForLoadState();
  await page.locator('form').nth(1).locator('textarea').fill('The answer can not be seen.');
  await page.locator('form').nth(1).getByRole('button', { name: 'Bad' }).click();
  await page.waitForLoadState();
  await page.getByRole('button', { name: 'Have the teacher revise it' }).click();
  await page.waitForLoadState();

  expect(answers).toEqual([303, 303, 303]);
  expect(verdicts).toEqual([
    { sample: 'one', verdict: 'good', comment: undefined },
    { sample: 'two', verdict: 'bad', comment: 'The answer can not be seen.' },
  ]);
  expect(decisions).toEqual([{ action: 'revise', comment: undefined }]);
});

test('a form on another page reaches nothing', async () => {
  const { review, verdicts } = await playedReview();
  const served = await serveReview(review, { port: 0 });
  onTestFinished(() => served.close());
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.setContent(
    `<form method="post" action="${served.address}"><input name="sample" value="one"><button name="verdict" value="good">Win a prize</button></form>`,
  );
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === 'POST'),
    page.getByRole('button').click(),
  ]);
  expect(answer.status()).toBe(403);
  expect(verdicts).toEqual([]);
});
