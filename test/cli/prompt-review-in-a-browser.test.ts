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

test('keys judge the samples one after the other, and are left alone while somebody types', async () => {
  const { review, verdicts, decisions } = await playedReview();
  const served = await serveReview(review, { port: 0 });
  onTestFinished(() => served.close());
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(served.address);
  const current = () => page.locator('article.current').getAttribute('id');
  expect(await current()).toBe('one');
  await page.keyboard.press('j');
  expect(await current()).toBe('two');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('p');
  expect(await page.locator('#one details').getAttribute('open')).toBe('');
  await Promise.all([page.waitForNavigation(), page.keyboard.press('g')]);
  expect(verdicts).toEqual([{ sample: 'one', verdict: 'good', comment: undefined }]);

  // The next one without a verdict. Bad asks for the reason first.
  expect(await current()).toBe('two');
  await page.keyboard.press('b');
  await page.keyboard.type('bad and gone');
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Control+Enter')]);
  expect(verdicts.slice(1)).toEqual([{ sample: 'two', verdict: 'bad', comment: 'bad and gone' }]);
  expect(await page.locator('#next').getAttribute('class')).toBe('current');
  expect(decisions).toEqual([]);
});

test('the keys work at any address of the page; before and after what comes next are the last and the first sample', async () => {
  const { review } = await playedReview();
  const served = await serveReview(review, { port: 0 });
  onTestFinished(() => served.close());
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(`${served.address}#%`);
  const current = () => page.locator('.current').getAttribute('id');
  expect(await current()).toBe('one');
  await page.keyboard.press('n');
  expect(await current()).toBe('next');
  await page.keyboard.press('k');
  expect(await current()).toBe('two');
  await page.keyboard.press('n');
  await page.keyboard.press('j');
  expect(await current()).toBe('one');
});

test('a phone shows everything without scrolling sideways, with buttons that a thumb hits', async () => {
  const { review } = await playedReview();
  const served = await serveReview(review, { port: 0 });
  onTestFinished(() => served.close());
  for (const [width, columns] of [
    [390, 1],
    [1280, 2],
  ] as const) {
    const page = await browser.newPage({ viewport: { width, height: 844 } });
    onTestFinished(() => page.close());
    await page.goto(served.address);
    await page.locator('details').first().click();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    const boxes = await page.locator('article').first().locator(':scope > div').all();
    const lefts = await Promise.all(boxes.map(async (box) => (await box.boundingBox())?.x));
    expect(new Set(lefts).size, `columns at ${width}`).toBe(columns);
    for (const button of await page.locator('button').all())
      expect((await button.boundingBox())?.height).toBeGreaterThanOrEqual(44);
  }
});

test('says what prompt 0 is and what happens next, and why a sample says Skip', async () => {
  const { review } = await playedReview({ iteration: 0, skipped: true });
  const served = await serveReview(review, { port: 0 });
  onTestFinished(() => served.close());
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(served.address);
  const text = await page.locator('body').textContent();
  expect(text).toContain('Prompt 0 is the prompt to start from');
  expect(text).toContain('2 of 2 left. Then have the teacher revise the prompt, or stop.');
  expect(text).not.toContain('Accept this prompt');
  for (const article of await page.locator('article').all()) {
    expect(await article.locator('pre').first().textContent()).toBe('Skip');
    const reason = await article.locator('.bad').textContent();
    expect(reason).toContain('told to answer Skip where the facts about the image do not allow a question of the type');
    expect(reason).toContain('Good means that skipping was right here');
  }
});

test('while the teacher does not answer, the page says why and when the next attempt is', async () => {
  const { review } = await playedReview();
  const waiting = { ...(await review.progress()), phase: 'making samples' as const };
  const failing = {
    ...review,
    progress: async () => waiting,
    waitingFor: async () => 'It is retried after: Connection error; attempt 3 in 42 s',
  };
  const served = await serveReview(failing, { port: 0 });
  onTestFinished(() => served.close());
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(served.address);
  expect(await page.getByRole('alert').textContent()).toBe('It is retried after: Connection error; attempt 3 in 42 s');
});
