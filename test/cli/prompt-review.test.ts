import { PassThrough } from 'node:stream';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { reviewInTerminal } from '../../cli/prompt-review/terminal.ts';
import { serveReview } from '../../cli/prompt-review/web.ts';
import { playedReview } from './played-review.ts';

test('the terminal shows image, facts, answer and change, and takes verdicts and the decision', async () => {
  const { review, verdicts, decisions } = await playedReview();
  const input = new PassThrough();
  const output = Object.assign(new PassThrough(), { isTTY: true });
  const answers = ['x', 'g', 'bad', 'too long', 'a'];
  let shown = '';
  output.on('data', (text: Buffer) => {
    shown += text;
    // A question was asked, and waits on its line.
    if (/\? (?:\(Enter: no\) )?$/.test(String(text))) input.write(`${answers.shift()}\n`);
  });
  await reviewInTerminal(review, { input, output, signal: new AbortController().signal });
  expect(verdicts).toEqual([
    { sample: 'one', verdict: 'good', comment: undefined },
    { sample: 'two', verdict: 'bad', comment: 'too long' },
  ]);
  expect(decisions).toEqual([{ action: 'accept', comment: undefined }]);
  expect(shown).toContain('\u001b[38;2;254;0;0m');
  for (const text of ['a <red> thing', 'Question of one', '+13. Be brief.', 'Accepted: v2.md, used from round 3 on']) {
    expect(shown).toContain(text);
  }
});

test('the end of the input ends the review, not the workflow', async () => {
  const { review, decisions } = await playedReview();
  const input = new PassThrough();
  const reviewed = reviewInTerminal(review, {
    input,
    output: new PassThrough().resume(),
    signal: new AbortController().signal,
  });
  input.end();
  await expect(reviewed).rejects.toMatchObject({
    name: 'Interrupted',
    message: 'The input has ended; the workflow keeps waiting.',
  });
  expect(decisions).toEqual([]);
});

describe('the page', () => {
  async function opened() {
    const played = await playedReview();
    const page = await serveReview(played.review, { port: 0 });
    onTestFinished(() => page.close());
    const send = (form: Record<string, string>, headers: Record<string, string> = {}) =>
      fetch(page.address, { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' });
    return { ...played, page, send };
  }

  test('shows samples with images, escaped, and runs no script but its own', async () => {
    const { page } = await opened();
    const response = await fetch(page.address);
    const html = await response.text();
    expect(html).toContain('Question of one &lt;script&gt;');
    expect([...html.matchAll(/<script[^>]*>/g)].map(String)).toEqual([
      expect.stringMatching(/^<script nonce="[^"]+">$/),
    ]);
    expect(html).toContain('<ins>+13. Be brief.</ins>');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const image = await fetch(`${page.address}image/one`);
    expect(image.headers.get('content-type')).toBe('image/jpeg');
    expect((await sharp(Buffer.from(await image.arrayBuffer())).metadata()).width).toBe(32);
    expect((await fetch(`${page.address}image/..%2f..%2fetc%2fpasswd`)).status).toBe(404);
  });

  test('takes verdicts and the decision, and says what it refuses', async () => {
    const { send, verdicts, decisions, page } = await opened();
    const refused = await send({ sample: 'one', verdict: 'bad', comment: ' ' });
    expect(refused.status).toBe(409);
    expect(await refused.text()).toContain('comment: say what is wrong with it');
    expect((await send({ sample: 'one', verdict: 'bad', comment: 'too long' })).status).toBe(303);
    expect((await send({ verdict: 'awful', sample: 'one' })).status).toBe(400);
    expect((await send({ action: 'revise', comment: 'be brief' })).status).toBe(303);
    expect(verdicts).toEqual([{ sample: 'one', verdict: 'bad', comment: 'too long' }]);
    expect(decisions).toEqual([{ action: 'revise', comment: 'be brief' }]);
    const ended = page.ended(new AbortController().signal);
    expect(await (await fetch(page.address)).text()).toContain('done');
    await ended;
  });

  test('refuses forms that it did not serve, and takes none for a verdict', async () => {
    const { page, send, verdicts, decisions } = await opened();
    const forms: [string, string][][] = [
      [],
      [['sample', 'one']],
      [['verdict', 'good']],
      [
        ['sample', ''],
        ['verdict', 'good'],
      ],
      [
        ['sample', 'one'],
        ['verdict', 'bad'],
        ['verdict', 'good'],
      ],
      [
        ['sample', 'one'],
        ['verdict', 'good'],
        ['action', 'accept'],
      ],
      [
        ['action', 'revise'],
        ['comment', 'x'.repeat(501)],
      ],
      [
        ['action', 'stop'],
        ['__proto__', 'x'],
      ],
    ];
    for (const form of forms) {
      const body = new URLSearchParams(form);
      const { status } = await fetch(page.address, { method: 'POST', body, redirect: 'manual' });
      expect(status, String(body)).toBe(400);
    }
    expect((await send({ action: 'revise', comment: 'x'.repeat(70_000) })).status).toBe(413);
    expect([...verdicts, ...decisions]).toEqual([]);
  });

  test('counts a line break once, as the browser does', async () => {
    const { send, decisions } = await opened();
    const comment = `${'x'.repeat(249)}\r\n`.repeat(2);
    expect((await send({ action: 'revise', comment: `${comment}y` })).status).toBe(400);
    expect((await send({ action: 'revise', comment: `${comment.slice(2)}y` })).status).toBe(303);
    expect(decisions[0]?.comment).toHaveLength(499);
  });

  test('shows no reason of a failure, which may quote files, but reports it', async () => {
    const { review } = await playedReview();
    const failing = { ...review, progress: () => Promise.reject(new Error('/home/somebody/secret')) };
    const reported: unknown[] = [];
    const page = await serveReview(failing, { port: 0, report: (error) => reported.push(error) });
    onTestFinished(() => page.close());
    const response = await fetch(page.address);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('Failed. The terminal shows why');
    expect(reported).toMatchObject([{ message: '/home/somebody/secret' }]);
  });

  test('answers nothing without its key, and to no other page', async () => {
    const { page, send, verdicts } = await opened();
    const { origin } = new URL(page.address);
    expect((await fetch(origin)).status).toBe(404);
    expect((await fetch(`${origin}/00000000000000000000000000000000/`)).status).toBe(404);
    const foreign = await send({ sample: 'one', verdict: 'good' }, { origin: 'http://evil.example' });
    expect(foreign.status).toBe(403);
    expect(verdicts).toEqual([]);
  });
});
