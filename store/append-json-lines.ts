import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StorageError } from './write-file.ts';

/** A file of one JSON value a line that only ever grows. */
export interface JsonLinesAppender {
  /** Resolves when the line is on the disk; calls may overlap. */
  append(value: unknown): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a file of one JSON value a line to add lines at its end. A last line without its line break, as a
 * killed writer leaves it, is cut off first: else the next line would be glued to it.
 *
 * @throws StorageError that names the file, for a full disk and the like; what a refused line left is cut off.
 */
export async function openJsonLines(file: string): Promise<JsonLinesAppender> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'a+').catch((cause: unknown) => Promise.reject(new StorageError(file, cause)));
  let size = await endOfLastLine(handle);
  await handle.truncate(size);

  let queue: Promise<void> = Promise.resolve();
  const write = async (value: unknown) => {
    const line = Buffer.from(`${JSON.stringify(value)}\n`);
    try {
      await handle.appendFile(line);
      await handle.datasync();
      size += line.length;
    } catch (cause) {
      await handle.truncate(size).catch(() => undefined);
      throw new StorageError(file, cause);
    }
  };
  return {
    append(value) {
      const written = queue.then(() => write(value));
      queue = written.catch(() => undefined);
      return written;
    },
    async close() {
      await queue;
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
