import { join } from 'node:path';
import { z } from 'zod';
import { joinInside } from '../core/inside.ts';
import { readJson } from '../core/read-json.ts';
import { captionRequest } from './question-text.ts';
import type { TrainDataset } from './train-dataset.ts';

const annotationsFile = 'filter_cap.json';

/** The content of `filter_cap.json`. */
export const alignSchema = z.object({
  annotations: z.array(
    z.object({
      image_id: z
        .union([z.string().regex(/^[\w-]+$/, 'is not a plain file name'), z.int().nonnegative()], {
          error: ({ input }) => (input === undefined ? 'is missing' : 'is not a plain file name'),
        })
        .describe('The name of the file `image/<id>.jpg`'),
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
  const { annotations } = await readJson(join(folder, annotationsFile), alignSchema);
  return annotations.map(({ image_id, caption }) => ({
    imageId: String(image_id),
    caption,
    image: joinInside(join(folder, 'image'), `${image_id}.jpg`, annotationsFile),
  }));
}

/** MiniGPT-4's descriptions for training. */
export const ccSbuAlign: TrainDataset = {
  defaultPath: 'cc_sbu_align',

  downloads: {
    cc_sbu_align:
      'Download the second-stage dataset that github.com/Vision-CAIR/MiniGPT-4 links (dataset/README_2_STAGE.md), as cc_sbu_align',
  },

  contentFile: (folder) => join(folder, annotationsFile),

  async *read({ path, name }) {
    for (const { imageId, caption, image } of await readCcSbuAlign(path)) {
      yield { id: `${name}-${imageId}`, image, request: captionRequest, answer: caption };
    }
  },
};
