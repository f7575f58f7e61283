import { z } from 'zod';
import { imageIdSchema } from '../../core/images/image-id.ts';
import { InputError } from '../../core/input-error.ts';
import { readJsonLines } from '../../core/read-json.ts';
import { imageFolder } from '../image-folder.ts';
import type { FolderImage, ImageFacts } from './folder-pool.ts';

/** A line of a file of facts. */
export const factsSchema = z.object({
  image: imageIdSchema.describe('Path below the folder of images, with or without the extension'),
  facts: z.array(z.string().min(1)).default([]).describe('Sentences, a line each in the prompt'),
  boxes: z
    .array(
      z.object({
        category: z.string().min(1),
        box: z
          .tuple([z.number(), z.number(), z.number(), z.number()])
          .describe('Left, top, width, height in pixels of the upright image'),
      }),
    )
    .default([]),
});

/**
 * Reads what a person knows of the images of a folder: JSON lines. Several lines about an image, or about images with the
 * same content, are joined.
 *
 * @returns SHA-256 of the image → facts
 * @throws InputError naming line and field of what does not fit, and an image that is not there
 */
export async function readFacts(
  file: string,
  folder: string,
  hashOf: (path: string) => string | undefined,
): Promise<Map<FolderImage['sha256'], ImageFacts>> {
  const images = imageFolder(folder);
  const facts = new Map<string, ImageFacts>();
  for (const line of await readJsonLines(file, factsSchema)) {
    const path = await images.fileOf(line.image);
    const sha256 = hashOf(path);
    if (sha256 === undefined) {
      throw new InputError({
        file,
        field: 'image',
        problem: `there is no image ${line.image}`,
        remedy: 'Give its path below data.images.train',
      });
    }
    const known = facts.get(sha256) ?? { captions: [], boxes: [] };
    facts.set(sha256, {
      captions: [...known.captions, ...line.facts],
      boxes: [...known.boxes, ...line.boxes],
    });
  }
  return facts;
}
