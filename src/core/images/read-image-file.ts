import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { budget } from '../budget.ts';
import { InputError } from '../input-error.ts';
import { requireImageKind } from './image-kind.ts';

/** An image of a dataset has a few megabytes at most. */
const maximumImageBytes = 256 * 1024 * 1024;
const spendBytes = budget(2 * maximumImageBytes);

/**
 * Runs the work with the content of an image's file. What is in memory at a time is bounded, so that many large files wait for
 * one another.
 *
 * @throws InputError naming a file that is missing, no regular file (a pipe would block, a device never ends), too large, or
 *   none of the kinds of `requireImageKind`
 */
export async function withImageFile<R>(file: string, work: (content: Buffer) => R | Promise<R>): Promise<R> {
  const handle = await openRegularFile(file);
  try {
    const { size } = await handle.stat();
    if (size > maximumImageBytes) {
      throw imageError(file, `has ${size} bytes, more than the ${maximumImageBytes} that an image may have`);
    }
    return await spendBytes(size, async () => {
      const content = await handle.readFile().catch((cause: Error) => {
        throw imageError(file, `can't be read (${cause.message})`, cause);
      });
      requireImageKind(content, file);
      return work(content);
    });
  } finally {
    await handle.close();
  }
}

async function openRegularFile(file: string): Promise<FileHandle> {
  // Without blocking: opening a pipe waits for somebody who writes into it.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: NodeJS.ErrnoException) => {
    const isMissing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR';
    throw imageError(file, isMissing ? 'no such image' : `can't be read (${cause.message})`, cause);
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw imageError(file, 'is not a file that holds an image');
}

/** The error of an image that can't be used. */
export function imageError(file: string, problem: string, cause?: unknown): InputError {
  const remedy = 'Check the image folder, download the image again, or take it out of the dataset';
  return new InputError({ file, problem, remedy }, { cause });
}
