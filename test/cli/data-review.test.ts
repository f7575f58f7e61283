/** `dataengine data review`: the terminal, files of decisions, and what the page refuses. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { reviewSamplesInTerminal } from '../../cli/data-review/terminal.ts';
import { serveSampleReview } from '../../cli/data-review/web.ts';
import { openSampleReview } from '../../src/round/review/open-review.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { first, reviewedRound, second, third } from '../round/review/reviewed-round.ts';
import { printedBy } from './in-this-process.ts';

const signal = new AbortController().signal;

async function opened() {
  const context = await reviewedRound();
  return { context, review: await openSampleReview(context, 'Ada') };
}

/** Types an answer whenever something is asked. */
function typing(answers: readonly string[]) {
  const [input, left] = [new PassThrough(), [...answers]];
  const output = Object.assign(new PassThrough(), { isTTY: true });
  const shown: string[] = [];
  output.on('data', (text: Buffer) => {
    shown.push(String(text));
    if (!/[?:)] $/.test(String(text))) return;
    const answer = left.shift();
    if (answer === undefined) input.end();
    else input.write(`${answer}\n`);
  });
  return { input, output, signal, shown: () => shown.join('') };
}

test('the terminal shows each sample with its image, takes keep, edit and reject, and resumes where it ended', async () => {
  const { review } = await opened();
  const once = typing(['x', 'k', 'e', 'Where does the dog sleep?', '', '', '', 'a cushion', 'd', 'On a cushion.', 'q']);
  await reviewSamplesInTerminal(review, once);
  expect(once.shown()).toContain('Sample 1 of 3');
  expect(once.shown()).toContain('\u001b[38;2;254;0;0m');
  expect(once.shown()).toContain('Where is the cat?');
  expect(once.shown()).toContain('1 kept, 1 edited, 0 rejected, 1 left.');
  expect((await review.samples())[1]?.decision?.edited).toEqual({
    question: 'Where does the dog sleep?',
    choices: ['on the left', 'on the right', 'in the middle', 'a cushion'],
    correct: 3,
    explanation: 'On a cushion.',
  });
  const again = typing(['r', 'blurred']);
  await reviewSamplesInTerminal(review, again);
  expect(again.shown()).not.toContain('Sample 1 of 3');
  expect((await review.samples())[2]?.decision).toMatchObject({ decision: 'reject', comment: 'blurred', by: 'Ada' });
});

test('the terminal says which part of an edit is refused, and the end of the input loses nothing', async () => {
  const { review } = await opened();
  const session = typing(['k', 'e', '', '', '', '', '', 'z', '']);
  await expect(reviewSamplesInTerminal(review, session)).rejects.toThrow('what was decided is kept');
  expect(session.shown()).toContain('correct: answer not among choices');
  expect((await review.samples()).map(({ decision }) => decision?.decision)).toEqual(['keep', undefined, undefined]);
});

test('without a terminal: a list of samples, and a file of decisions', async () => {
  const { context } = await opened();
  const folder = await temporaryFolder();
  const config = join(folder, 'config.yaml');
  await writeFile(config, stringify(context.config));
  const command = ['data', 'review', config, '--round', '1'];
  const listed = (await printedBy(...command, '--list'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(listed.map(({ sample }) => sample)).toEqual([first, second, third]);
  expect(listed[0]).toMatchObject({ image_id: 1, question: 'Where is the cat?', correct: 0 });
  const file = join(folder, 'decisions.jsonl');
  await writeFile(file, listed.map(({ sample }) => JSON.stringify({ sample, decision: 'keep' })).join('\n'));
  expect(await printedBy(...command, '--import', file, '--by', 'Bob')).toBe(
    '3 decisions were taken.\nRound 1: 3 kept, 0 edited, 0 rejected, 0 left\n',
  );
  expect(await printedBy(...command, '--list')).toBe('');
});

test('the page takes forms that it served, from itself alone, and shows texts as texts', async () => {
  const { review } = await opened();
  const page = await serveSampleReview(review, { port: 0 });
  onTestFinished(() => page.close());
  const html = await (await fetch(page.address)).text();
  expect(html).toContain('The &lt;b&gt;cat&lt;/b&gt; can be seen there.');
  const image = await fetch(`${page.address}image/${first}`);
  expect(image.headers.get('content-type')).toBe('image/jpeg');
  expect((await fetch(`${page.address}image/..%2f..%2fetc%2fpasswd`)).status).toBe(404);
  const send = async (form: Record<string, string>, headers: Record<string, string> = {}) => {
    const body = new URLSearchParams(form);
    return (await fetch(page.address, { method: 'POST', body, headers, redirect: 'manual' })).status;
  };
  const keep = { sample: first, decision: 'keep' };
  expect(await send(keep, { origin: 'https://evil.example' })).toBe(403);
  expect(await send(keep, { 'content-type': 'text/plain' })).toBe(415);
  expect(await send({ ...keep, other: 'x' })).toBe(400);
  expect(await send({ sample: 'x', decision: 'keep' })).toBe(400);
  expect(await send({ ...keep, comment: 'x'.repeat(501) })).toBe(400);
  const edit = { sample: first, decision: 'edit', question: 'Which?', correct: '0', explanation: 'So.' };
  expect(await send({ ...edit, choice0: 'a', choice2: 'b' })).toBe(400);
  expect(await send({ ...edit, choice0: 'a', __proto__x: 'b' })).toBe(400);
  expect(await send({ ...edit, choice0: 'a', choice1: 'a' })).toBe(409);
  expect((await fetch(page.address.replace(/\/[0-9a-f]+\/$/, '/x/'))).status).toBe(404);
  expect((await review.samples()).every(({ decision }) => decision === undefined)).toBe(true);
  expect(await send(keep)).toBe(303);
  const ended = page.ended(signal);
  for (const sample of [second, third]) expect(await send({ sample, decision: 'reject', comment: '' })).toBe(303);
  expect(await (await fetch(page.address)).text()).toContain('All samples are decided.');
  await ended;
});
