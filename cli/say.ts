import { fitted } from '../scripts/setup/terminal-text.mjs';

export type TextStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

/**
 * Writes a text and a line feed; on a terminal its sentences break between words. Default: to standard error, which leaves the
 * other to results.
 */
export function say(text: string, stream: TextStream = process.stderr): void {
  stream.write(`${fitted(text, stream)}\n`);
}

/** The same to standard output: what a command was asked for. */
export function tell(text: string): void {
  say(text, process.stdout);
}
