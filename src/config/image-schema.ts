import { z } from 'zod';

const pixels = z.int().positive().max(150_000_000);
const patches = z.int().positive().max(64);
const side = z.int().positive().max(8192);

/** How large a model sees images. Each family has some of these, by the name that its processor has for it. */
export const imageSchema = z
  .strictObject({
    minPixels: pixels.optional().describe('Smaller images are enlarged to it. Qwen2.5-VL, Qwen3-VL, GLM-4V.'),
    maxPixels: pixels
      .optional()
      .describe('Larger images are made smaller, which takes fewer tokens. Qwen2.5-VL, Qwen3-VL, GLM-4V.'),
    minPatches: patches.optional().describe('Tiles that an image is cut into at least. InternVL.'),
    maxPatches: patches.optional().describe('Tiles that an image is cut into at most. InternVL.'),
    shortestEdge: side.optional().describe('Pixels of the shorter side at least. Idefics 2.'),
    longestEdge: side
      .optional()
      .describe('Pixels of the longer side. Idefics 3, SmolVLM: of every image; Idefics 2: at most.'),
    imageGridPinpoints: z
      .array(z.tuple([side, side]))
      .min(1)
      .max(64)
      .optional()
      .describe(
        'Sizes [height, width] of which the best one is chosen for an image, each a multiple of a tile. LLaVA-NeXT, LLaVA-NeXT-Video, LLaVA-OneVision.',
      ),
  })
  .superRefine((limits, context) => {
    const pairs = [
      ['minPixels', 'maxPixels'],
      ['minPatches', 'maxPatches'],
      ['shortestEdge', 'longestEdge'],
    ] as const;
    for (const [least, most] of pairs) {
      const [low, high] = [limits[least], limits[most]];
      if (low === undefined || high === undefined || low <= high) continue;
      context.addIssue({ code: 'custom', path: [least], message: `is more than ${most}` });
    }
  });

export type ImageLimits = z.output<typeof imageSchema>;
