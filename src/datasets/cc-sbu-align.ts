import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from '../core/read-json.ts';

const alignSchema = z.object({
  annotations: z.array(
    z.object({
      image_id: z.union([z.string().regex(/^[\w-]+$/, 'is not a plain file name'), z.int().nonnegative()]),
      caption: z.string(),
    }),
  ),
});

/** An image with a detailed description. */
export interface AlignmentPair {
  imageId: string;
  caption: string;
  /** Path of the image, in the folder that was read. */
  image: string;
}

/**
 * Reads MiniGPT-4's second-stage data (https://github.com/Vision-CAIR/MiniGPT-4): `filter_cap.json` beside a
 * folder `image/`.
 *
 * @throws InputError naming line or field.
 */
export async function readCcSbuAlign(folder: string): Promise<AlignmentPair[]> {
  const { annotations } = await readJson(join(folder, 'filter_cap.json'), alignSchema);
  return annotations.map(({ image_id, caption }) => ({
    imageId: String(image_id),
    caption,
    image: join(folder, 'image', `${image_id}.jpg`),
  }));
}
