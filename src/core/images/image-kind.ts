import { InputError } from '../input-error.ts';

export const exifModes = ['apply', 'ignore'] as const;

/** `apply` turns an image upright by its EXIF orientation; `ignore` leaves it as it is stored, as transformers does. */
export type ExifMode = (typeof exifModes)[number];

export type ImageKind = 'jpeg' | 'png' | 'gif' | 'webp' | 'tiff';

/**
 * The kind of an image by its first bytes, whatever its name says.
 *
 * Other formats are refused: an SVG can refer to other files, and an archive or a program is no image.
 *
 * @throws InputError for anything that is none of the kinds
 */
export function requireImageKind(head: Uint8Array, file: string): ImageKind {
  const kind = kindOf(Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, imageHeadBytes)));
  if (kind !== undefined) return kind;
  throw new InputError({
    file,
    problem: 'is cut short or not an image: it is no JPEG, PNG, GIF, WebP or TIFF, whatever its name says',
    remedy: 'Download the image again, or take it out of the dataset',
  });
}

/** The first bytes of a file, which identify the kind of an image. */
const imageHeadBytes = 12;

function kindOf(head: Buffer): ImageKind | undefined {
  const at = (offset: number, text: string) => head.toString('latin1', offset, offset + text.length) === text;
  if (at(0, '\xff\xd8\xff')) return 'jpeg';
  if (at(0, '\x89PNG\r\n\x1a\n')) return 'png';
  if (at(0, 'GIF87a') || at(0, 'GIF89a')) return 'gif';
  if (at(0, 'RIFF') && at(8, 'WEBP')) return 'webp';
  if (at(0, 'II*\0') || at(0, 'MM\0*')) return 'tiff';
  return undefined;
}
