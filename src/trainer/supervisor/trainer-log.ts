import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { printable } from '../../core/printable.ts';

const quotedLines = 20;
const longestQuotedLine = 500;

/** The trainer's log file, which also remembers its last lines for error messages. */
export interface TrainerLog {
  file: string;
  write(line: string): void;
  lastLines(): string;
  close(): Promise<void>;
}

/** Opens `trainer.log` of a step folder; attempts follow one another in it. */
export function openTrainerLog(directory: string): TrainerLog {
  const file = join(directory, 'trainer.log');
  const stream = createWriteStream(file, { flags: 'a' });
  const recent: string[] = [];
  let writable = true;
  stream.on('error', () => {
    // A full disk must not hide the trainer's own error, which the last lines still show.
    writable = false;
  });
  return {
    file,
    write(line) {
      // Errors are shown on terminals, and kept in histories. The file has the line as it came.
      recent.push(printable(line.slice(0, longestQuotedLine)));
      if (recent.length > quotedLines) recent.shift();
      if (writable) stream.write(`${line}\n`);
    },
    lastLines: () => recent.join('\n'),
    async close() {
      stream.end();
      await finished(stream).catch(() => undefined);
    },
  };
}
