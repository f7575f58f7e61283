import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

let written = 0;

/**
 * Lets `write` fill a temporary file beside `file`, then flushes it to disk and gives it its name.
 * If anything fails, the temporary file is removed and what was at `file` stays as it was.
 * For files too large to hold in memory; smaller ones go through `store/write-file.ts`.
 */
export async function withTemporaryFile(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
	await mkdir(path.dirname(file), { recursive: true });
	const temporary = `${file}.${process.pid}-${written++}.tmp`;
	const handle = await open(temporary, 'wx');
	try {
		try {
			await write(handle);
			await handle.sync();
		} finally {
			await handle.close();
		}
		await rename(temporary, file);
	} catch (error) {
		await rm(temporary, { force: true });
		throw error;
	}
}
