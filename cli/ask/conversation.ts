/** Questions from a command line, a terminal or a pipe, and answers on standard output. */
import { createInterface } from 'node:readline';
import { fileExists } from '../../src/core/files.ts';
import { requireWholeImage } from '../../src/core/images/open-image.ts';
import { withImageFile } from '../../src/core/images/read-image-file.ts';
import { InputError } from '../../src/core/input-error.ts';
import { printable } from '../../src/core/printable.ts';
import { say } from '../say.ts';
import { textTable } from '../text-table.ts';
import type { Answerers } from './answerers.ts';

/** Asks one question. */
export async function askOnce(
  answerers: Answerers,
  images: readonly Uint8Array[],
  question: string,
  signal: AbortSignal,
): Promise<void> {
  const { all } = answerers;
  if (all.length > 1) {
    const answers = await Promise.all(all.map((one) => one.answer(question, images, signal, () => undefined)));
    process.stdout.write(
      `${sideBySide(
        all.map(({ name }) => name),
        answers.map(({ text }) => text),
      )}\n`,
    );
    for (const [index, { finish }] of answers.entries()) if (finish === 'length') noteCut(all[index]?.name);
    return;
  }
  const [only] = all;
  const write = withoutBlanksAround((text) => process.stdout.write(printable(text)));
  const { finish } = (await only?.answer(question, images, signal, write)) ?? {};
  process.stdout.write('\n');
  if (finish === 'length') noteCut();
}

const HELP =
  'A line is a question. /image FILE shows another image, /also FILE a further one beside it, /new starts a new conversation; the end of the input ends it.';

/** A conversation: a line a question, until the input ends. A terminal is prompted, and corrected where it is wrong. */
export async function converse(
  answerers: Answerers,
  images: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  const { stdin: input, stdout, stderr } = process;
  const isTerminal = input.isTTY === true;
  const lines = createInterface({ input, ...(isTerminal && { output: stderr, prompt: '> ' }) });
  const stop = () => lines.close();
  // readline takes Ctrl-C from the terminal, and would end the questions alone, not the answer that is being written.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  signal.addEventListener('abort', stop, { once: true });
  let next = images;
  const take = async (line: string) => {
    const [, command, rest = ''] = /^\/(\w+)(?:\s+(.*))?$/.exec(line) ?? [];
    if (command === 'image' && rest !== '') {
      next = [await readImage(rest.trim())];
    } else if (command === 'also' && rest !== '') {
      next = [...next, await readImage(rest.trim())];
    } else if (command === 'new') {
      for (const one of answerers.all) one.forget();
      next = images;
    } else if (command !== undefined) {
      say(HELP);
    } else {
      await askOnce(answerers, next, line, signal);
      next = [];
    }
  };
  if (isTerminal) {
    say(HELP);
    lines.prompt();
  }
  try {
    for await (const line of lines) {
      signal.throwIfAborted();
      try {
        if (line.trim() !== '') await take(line.trim());
      } catch (error) {
        if (!isTerminal || !(error instanceof InputError)) throw error;
        say(printable(error.message));
      }
      if (isTerminal) lines.prompt();
    }
  } finally {
    signal.removeEventListener('abort', stop);
    lines.close();
    if (isTerminal) stdout.write('\n');
  }
  signal.throwIfAborted();
}

function noteCut(name?: string): void {
  say(`${name === undefined ? 'The answer' : `${printable(name)}'s answer`} was cut: --max-tokens allows more.`);
}

/** Columns within what the terminal allows. */
function sideBySide(names: readonly string[], texts: readonly string[]): string {
  return textTable(names, [texts], { columns: process.stdout.columns ?? 100 });
}

/** Passes text on without the blanks at its start and its end. */
function withoutBlanksAround(write: (text: string) => void): (text: string) => void {
  let held = '';
  let hasStarted = false;
  return (text) => {
    const all = held + text;
    const rest = hasStarted ? all : all.trimStart();
    const end = rest.trimEnd();
    hasStarted ||= end !== '';
    held = hasStarted ? rest.slice(end.length) : '';
    if (end !== '') write(end);
  };
}

/** @throws InputError for a file that is missing, cut short, too large or no image */
export async function readImage(file: string): Promise<Buffer> {
  if (!(await fileExists(file))) {
    const remedy = 'Name an image file, or - to ask without one, and the question behind it';
    throw new InputError({ file, problem: 'there is no such image', remedy });
  }
  // Before a model is loaded, and by the file's name: an engine gets bytes alone.
  await requireWholeImage(file);
  return withImageFile(file, (content) => content);
}
