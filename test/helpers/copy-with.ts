import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeJson } from '../../src/core/write-file.ts';

/** Copies a directory of a model or an adapter, with the fields of one of its JSON files changed. */
export async function copyWith(
  directory: string,
  copy: string,
  file: string,
  change: (content: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  if (directory !== copy) await cp(directory, copy, { recursive: true });
  const place = path.join(copy, file);
  await writeJson(place, change(JSON.parse(await readFile(place, 'utf8')) as Record<string, unknown>));
}
