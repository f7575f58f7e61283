/** A dialog with the person at a terminal, in which images are drawn too. */
import { createInterface } from 'node:readline/promises';
import { shrinkImage } from '../src/core/images/open-image.ts';
import { Interrupted } from './failures.ts';
import { say } from './say.ts';
import { colorsFor, usesColor } from './text-table.ts';

export type Ask = (question: string) => Promise<string>;
export type Say = (text?: string) => void;

export interface TerminalDialog {
  ask: Ask;
  say: Say;
  /** None where the output is no terminal, or where a person has asked for none. */
  colors: ReturnType<typeof colorsFor>;
  /** Shows an image, where it has colors. */
  draw(file: string): Promise<void>;
  /** Aborted by the one given, and when the input ends. */
  signal: AbortSignal;
  close(): void;
}

/**
 * Opens a dialog. What is asked throws the given signal's reason when it is aborted, and Interrupted when the input ends.
 *
 * @param endOfInput the message when the input ends
 */
export function openDialog(
  { input, output, signal }: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream; signal: AbortSignal },
  endOfInput: string,
): TerminalDialog {
  const lines = createInterface({ input, output });
  const ended = new AbortController();
  lines.once('close', () => ended.abort(new Interrupted(endOfInput)));
  const either = AbortSignal.any([signal, ended.signal]);
  const show: Say = (text = '') => say(text, output);
  return {
    signal: either,
    say: show,
    colors: colorsFor(output),
    async draw(file) {
      if (usesColor(output)) show(await drawImage(file));
    },
    async ask(question) {
      try {
        return await lines.question(question, { signal: either });
      } catch (error) {
        throw either.aborted ? either.reason : error;
      }
    },
    close: () => lines.close(),
  };
}

/** Whether a person says yes. @throws Interrupted when the input ends */
export async function askWhether(
  question: string,
  output: NodeJS.WritableStream,
  endOfInput: string,
): Promise<boolean> {
  const dialog = openDialog({ input: process.stdin, output, signal: new AbortController().signal }, endOfInput);
  try {
    return /^y(es)?$/i.test((await dialog.ask(question)).trim());
  } finally {
    dialog.close();
  }
}

const columns = 64;

/** An image in half blocks of 24-bit color, two pixels a character. */
async function drawImage(file: string): Promise<string> {
  try {
    const { data, width, height } = await shrinkImage(file, columns);
    const color = (x: number, y: number) => {
      const start = (Math.min(y, height - 1) * width + x) * 3;
      return `${data[start]};${data[start + 1]};${data[start + 2]}`;
    };
    const rows = Array.from({ length: Math.ceil(height / 2) }, (_, row) => {
      const cells = Array.from(
        { length: width },
        (_, x) => `\u001b[38;2;${color(x, 2 * row)}m\u001b[48;2;${color(x, 2 * row + 1)}m▀`,
      );
      return `${cells.join('')}\u001b[0m`;
    });
    return rows.join('\n');
  } catch {
    return '(the image can’t be read)';
  }
}
