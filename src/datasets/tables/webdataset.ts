import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, type Header } from 'tar-stream';
import { z } from 'zod';
import { InputError } from '../../core/input-error.ts';
import { parseJson } from '../../core/read-json.ts';
import { inputErrorOfFile, openRegularFile } from '../../core/regular-file.ts';
import { tarFilesOf } from './shards.ts';
import type { TableRow } from './table-row.ts';

/** As much as an image may have. */
const LARGEST_MEMBER = 256 * 1024 * 1024;

/** Extensions → the column that a member of the archive becomes; those of `.json` become columns by their names. */
const columnOf = new Map([
  ...['jpg', 'jpeg', 'png', 'gif', 'webp', 'tif', 'tiff'].map((extension) => [extension, 'image'] as const),
  ...['mp4', 'webm', 'avi', 'mov', 'mkv'].map((extension) => [extension, 'video'] as const),
  ...['mp3', 'wav', 'flac', 'ogg'].map((extension) => [extension, 'audio'] as const),
]);
const fieldsSchema = z.record(z.string(), z.unknown());
const texts = ['txt', 'cls', 'caption'];

/**
 * The rows of WebDataset's tar archives (https://github.com/webdataset/webdataset): members in a row whose names are the same up
 * to the first dot are one row, such as `0017.jpg` and `0017.json`. That name is the row's `id` where its JSON has none.
 *
 * @throws InputError naming the archive and the row, for one that is damaged, or with a member above 256 MiB
 */
export async function* rowsOfWebDataset(path: string): AsyncGenerator<TableRow> {
  for (const file of await tarFilesOf(path)) yield* rowsOfArchive(file);
}

async function* rowsOfArchive(file: string): AsyncGenerator<TableRow> {
  let key: string | undefined;
  let values = new Map<string, unknown>();
  const row = (): TableRow => ({
    values: values.has('id') ? values : new Map([['id', key], ...values]),
    place: { file, field: `[${key}]` },
  });
  for await (const member of membersOfArchive(file)) {
    if (key !== undefined && key !== member.key) {
      yield row();
      values = new Map();
    }
    key = member.key;
    await addMember(file, member, values).catch((cause: unknown) => {
      throw explain(file, key, cause);
    });
  }
  if (key !== undefined) yield row();
}

/** A file in an archive. Its content must be read before the next one is. */
export interface ArchiveMember {
  /** Members of one key that follow one another are a row. */
  key: string;
  name: string;
  /** In small letters. */
  extension: string;
  size: number;
  content: Readable;
}

/** The members of an archive that belong to rows, in its order. @throws InputError naming an archive that is damaged */
export async function* membersOfArchive(file: string): AsyncGenerator<ArchiveMember> {
  const handle = await openRegularFile(file);
  const stream = handle.createReadStream({ highWaterMark: 1024 * 1024 });
  const archive = extract();
  stream.on('error', (error) => archive.destroy(error));
  stream.pipe(archive);
  let key: string | undefined;
  try {
    for await (const member of archive as AsyncIterable<Readable & { header: Header }>) {
      const { name, type, size } = member.header;
      const [found, extension] = splitName(name);
      if (type !== 'file' || found.split('/').at(-1) === '') {
        member.resume();
        continue;
      }
      key = found;
      yield { key, name, extension, size: size ?? 0, content: member };
    }
  } catch (cause) {
    throw explain(file, key, cause);
  } finally {
    stream.destroy();
  }
}

async function addMember(
  file: string,
  { name, extension, size, content }: ArchiveMember,
  values: Map<string, unknown>,
): Promise<void> {
  const problem = (words: string) =>
    new InputError({ file, field: name, problem: words, remedy: 'Write the archive again without it' });
  if (size > LARGEST_MEMBER) throw problem(`has ${size} bytes, more than ${LARGEST_MEMBER / 1024 / 1024} MiB`);
  const column = columnOf.get(extension) ?? extension;
  const bytes = await buffer(content);
  if (extension === 'json') {
    const fields = parseJson(bytes.toString('utf8'), `${file}/${name}`, fieldsSchema);
    for (const [field, value] of Object.entries(fields)) if (!values.has(field)) values.set(field, value);
    return;
  }
  if (column === 'image' && values.get('image') instanceof Uint8Array) throw problem('is a second image of its row');
  values.set(column, texts.includes(extension) ? bytes.toString('utf8').trim() : bytes);
}

/** The key of the row, with its folder, and the extension in small letters. */
function splitName(name: string): [key: string, extension: string] {
  const clean = name.replace(/^\.\//, '');
  const start = clean.lastIndexOf('/') + 1;
  const dot = clean.indexOf('.', start);
  return dot < 0 ? [clean, ''] : [clean.slice(0, dot), clean.slice(dot + 1).toLowerCase()];
}

function explain(file: string, key: string | undefined, cause: unknown): unknown {
  if (cause instanceof InputError) return cause;
  const known = inputErrorOfFile(file, cause);
  if (known !== cause || !(cause instanceof Error)) return known;
  const after = key === undefined ? '' : ` after ${key}`;
  const problem = `is damaged or cut short${after}: ${cause.message.split('\n')[0]}`;
  return new InputError({ file, problem, remedy: 'Download or write it again' }, { cause });
}
