import { decodeBase64 } from '../../../src/core/base64.ts';
import { hashBytes } from '../../../src/core/hash.ts';
import { openImage } from '../../../src/core/images/open-image.ts';
import { InputError } from '../../../src/core/input-error.ts';
import type { PartialScene } from '../../scenes/scene.ts';
import { seeScene } from './see-scene.ts';

/** What was recognized in an image. */
export interface Seen {
  /** Undefined for an image of nothing that this teacher knows. */
  scene: PartialScene | undefined;
}

const dataUrl = /^data:image\/[a-z0-9.+-]{1,40};base64,/;
/** Many requests are about the same image. */
const mostRemembered = 5000;
const remembered = new Map<string, Promise<Seen>>();

/**
 * Looks at the image of a data URL.
 *
 * @throws InputError for any other address, and for what is no image
 */
export function lookAt(url: string): Promise<Seen> {
  const key = hashBytes(url);
  const known = remembered.get(key);
  if (known) return known;
  const seen = look(url);
  if (remembered.size >= mostRemembered) remembered.delete(remembered.keys().next().value as string);
  remembered.set(key, seen);
  return seen;
}

async function look(url: string): Promise<Seen> {
  const [prefix] = dataUrl.exec(url) ?? [];
  const content = prefix === undefined ? undefined : decodeBase64(url.slice(prefix.length));
  if (content === undefined) {
    const problem = 'is no data URL of an image';
    throw new InputError({ file: 'request', field: 'image_url', problem, remedy: 'Send the image itself, as base64' });
  }
  return { scene: await openImage(content, { profile: 'convert' }, seeScene) };
}
