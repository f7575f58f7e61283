import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from './files.ts';
import { StorageError } from './write-file.ts';

/** A file of one JSON value a line that only grows. */
export interface JsonLinesAppender {
  /**
   * Resolves when the line is on the disk, or, with `flush: false`, when the operating system has it: that survives a
   * killed process, but not a loss of power. Calls may overlap; lines that arrive while others are written are written and
   * flushed together.
   */
  append(value: unknown, options?: { flush?: boolean }): Promise<void>;
  /** Resolves when all lines so far are on the disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface WaitingLine {
  line: string;
  flush: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Opens a file of one JSON value a line, to append lines. A last line without its line break, as a killed writer leaves it,
 * is removed first: otherwise the next line would be appended to it.
 *
 * @throws StorageError that names the file, for a full disk and the like; what a failed write left is removed
 */
export async function openJsonLines(file: string): Promise<JsonLinesAppender> {
  const handle = await makeFolder(dirname(file))
    .then(() => open(file, 'a+'))
    .catch((cause: unknown) => Promise.reject(new StorageError(file, cause)));
  let size = await endOfLastLine(handle);
  await handle.truncate(size);

  let waiting: WaitingLine[] = [];
  let writing: Promise<void> | undefined;
  const writeTogether = async (lines: WaitingLine[]) => {
    const bytes = Buffer.from(lines.map(({ line }) => line).join(''));
    try {
      await handle.appendFile(bytes);
      // Callers that did not ask for a flush need not wait for it.
      for (const { flush, resolve } of lines) if (!flush) resolve();
      if (lines.some(({ flush }) => flush)) await handle.datasync();
      size += bytes.length;
      for (const { resolve } of lines) resolve();
    } catch (cause) {
      await handle.truncate(size).catch(() => undefined);
      for (const { reject } of lines) reject(new StorageError(file, cause));
    }
  };
  const writeAll = async () => {
    while (waiting.length > 0) {
      const lines = waiting;
      waiting = [];
      await writeTogether(lines);
    }
    writing = undefined;
  };
  return {
    append(value, { flush = true } = {}) {
      return new Promise((resolve, reject) => {
        waiting.push({ line: `${JSON.stringify(value)}\n`, flush, resolve, reject });
        writing ??= writeAll();
      });
    },
    async flush() {
      await writing;
      await handle.datasync().catch((cause: unknown) => Promise.reject(new StorageError(file, cause)));
    },
    async close() {
      await writing;
      await handle.close();
    },
  };
}

async function endOfLastLine(handle: Awaited<ReturnType<typeof open>>): Promise<number> {
  const piece = Buffer.alloc(64 * 1024);
  let end = (await handle.stat()).size;
  while (end > 0) {
    const start = Math.max(0, end - piece.length);
    const { bytesRead } = await handle.read(piece, 0, end - start, start);
    const lineBreak = piece.subarray(0, bytesRead).lastIndexOf('\n');
    if (lineBreak >= 0) return start + lineBreak + 1;
    end = start;
  }
  return 0;
}
