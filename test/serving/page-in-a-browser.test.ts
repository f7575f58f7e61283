/** The page at `/`, in a real browser. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { launchBrowser } from '../../scripts/browser.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { serveWords } from './serve-words.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser?.close());

async function openPage(
  settings: Parameters<typeof serveWords>[0] = {},
  options: Parameters<Browser['newPage']>[0] = {},
) {
  const served = await serveWords(settings);
  const page = await browser.newPage(options);
  onTestFinished(() => page.close());
  const problems: string[] = [];
  page.on('console', (message) => problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(served.address);
  return { page, problems, ...served };
}

async function imageFile(): Promise<string> {
  const file = join(await temporaryFolder(), 'cat <b>.png');
  await writeFile(
    file,
    await sharp({ create: { width: 30, height: 20, channels: 3, background: '#a62' } })
      .png()
      .toBuffer(),
  );
  return file;
}

test('an image, a question, and the tokens come', async () => {
  const { page, problems, engine } = await openPage({ delay: 60 });
  await page.getByLabel('Model').selectOption('north');
  await page.getByLabel(/^Image/).setInputFiles(await imageFile());
  await page.getByRole('img', { name: 'cat <b>.png' }).waitFor();
  expect(await page.evaluate("document.getElementById('shown').naturalWidth")).toBe(30);
  await page.getByLabel('Question').fill('What is <it>?');
  await page.getByRole('button', { name: 'Ask' }).click();
  const answer = page.locator('#answer');
  await page.getByText('Answering').waitFor();
  await expect.poll(() => answer.textContent()).toMatch(/^north heard/);
  expect(await answer.textContent()).not.toContain('🦊');
  await page.getByText('Done').waitFor();
  expect(await answer.textContent()).toBe('north heard "What is <it>?\n" with 1 images: red é 🦊');
  expect(engine.requests[0]).toMatchObject({ temperature: 0, model: 'north' });

  await page.getByRole('button', { name: 'Remove the image' }).click();
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('Answering').waitFor();
  await page.getByText('Done').waitFor();
  expect(await answer.textContent()).toContain('with 0 images');
  expect(problems).toEqual([]);
});

test('an image can be dropped', async () => {
  const { page, problems } = await openPage();
  await page.evaluate(`(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
    canvas.getContext('2d').fillRect(0, 0, 8, 8);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], 'dropped.png', { type: 'image/png' }));
    document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  })()`);
  await page.getByRole('img', { name: 'dropped.png' }).waitFor();
  await page.getByLabel('Question').fill('What?');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('Done').waitFor();
  expect(await page.locator('#answer').textContent()).toContain('with 1 images');
  expect(problems).toEqual([]);
});

test('an answer can be stopped; the model then stops too', async () => {
  const { page, engine } = await openPage({ delay: 200 });
  await page.getByLabel('Question').fill('What?');
  await page.getByRole('button', { name: 'Ask' }).click();
  await expect.poll(() => engine.running).toBe(1);
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped').waitFor();
  await expect.poll(() => engine.running).toBe(0);
  expect(await page.getByRole('alert').textContent()).toBe('');
});

test('what the server refuses is said', async () => {
  const { page } = await openPage({ imagePixels: 100 });
  await page.getByLabel(/^Image/).setInputFiles(await imageFile());
  await page.getByLabel('Question').fill('What?');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('the images have 600 pixels, and a request may have 100').waitFor();
  expect(await page.locator('#state').textContent()).toBe('Failed');
});

test('where the server has a key, the page asks for it, and keeps it nowhere', async () => {
  const { page } = await openPage({ key: 'the-key-of-this-server' });
  await page.getByText('Send the key of this server').waitFor();
  await page.getByLabel('Key of this server').fill('the-key-of-this-server');
  await page.getByLabel('Question').fill('What?');
  await expect.poll(() => page.getByLabel('Model').inputValue()).toBe('base');
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('Done').waitFor();
  expect(await page.evaluate('[localStorage.length, sessionStorage.length, document.cookie]')).toEqual([0, 0, '']);
  await page.reload();
  await page.getByText('Send the key of this server').waitFor();
});

test.each(['light', 'dark'] as const)('on a telephone nothing is wider than the screen (%s)', async (colorScheme) => {
  const { page } = await openPage({}, { viewport: { width: 360, height: 740 }, colorScheme });
  await page.getByLabel(/^Image/).setInputFiles(await imageFile());
  await page.getByLabel('Question').fill('w'.repeat(300));
  await page.getByRole('button', { name: 'Ask' }).click();
  await page.getByText('Done').waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
});

test('every control has a name, and what changes is announced', async () => {
  const { page } = await openPage();
  const unnamed = await page.evaluate(`[...document.querySelectorAll('input, textarea, select')]
    .filter((field) => field.labels.length === 0).map(({ id }) => id)`);
  expect(unnamed).toEqual([]);
  expect(await page.evaluate("document.getElementById('answer').ariaLive")).toBe('polite');
  expect(await page.getByRole('status').count()).toBe(1);
  expect(await page.getByRole('alert').count()).toBe(1);
  expect(await page.evaluate('document.documentElement.lang')).toBe('en');
});

test("a script that is not the page's own does not run, and no other server is asked", async () => {
  const { page, address, problems } = await openPage();
  await page.evaluate(
    `document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))`,
  );
  expect(await page.evaluate('window.ran')).toBeUndefined();
  expect(await page.evaluate(`fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')`)).toBe('refused');
  expect(problems.join()).toMatch(/Content Security Policy/);
  const [one, two] = await Promise.all([fetch(address), fetch(address)]);
  expect(one.headers.get('content-security-policy')).not.toBe(two.headers.get('content-security-policy'));
});

test('a page of another origin reaches nothing', async () => {
  const { page, address, engine } = await openPage();
  await page.goto('about:blank');
  const send = (type: string) =>
    page.evaluate(`fetch('${address}v1/chat/completions', { method: 'POST', headers: { 'content-type': '${type}' },
      body: '{"model":"base","messages":[{"role":"user","content":"a"}]}' }).then(({ status }) => status, () => 'refused')`);
  expect(await send('application/json')).toBe('refused');
  expect(await send('text/plain')).toBe('refused');
  expect(engine.requests).toEqual([]);
});
