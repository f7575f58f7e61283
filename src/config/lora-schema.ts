/** What of a model is trained: adapters on which layers, and which parts whole. */
import { z } from 'zod';

const count = z.int().positive();

/** Parts of a model whose linear layers can have adapters. */
export const adaptedParts = ['language', 'vision', 'projector'] as const;
export type AdaptedPart = (typeof adaptedParts)[number];

/** Parts that can be asked for to be trained whole, beside adapters; `trained-ways.ts` refuses some. */
export const trainableParts = ['projection', 'language', 'vision'] as const;
export type TrainablePart = (typeof trainableParts)[number];

const layerNames = z.array(z.string().min(1)).min(1);

const targetModulesSchema = z
  .union([
    layerNames,
    z
      .strictObject({
        language: layerNames.optional().describe("Projections of the language model's layers."),
        vision: layerNames
          .optional()
          .describe(
            'Linear layers of the vision side, for LLaVA q_proj, fc1 and such, for MiniGPT-4 qkv, fc1 and such, and query, dense and such of the Q-Former. The vision side is then computed in each step, and no image feature is kept.',
          ),
        projector: layerNames
          .optional()
          .describe('Linear layers between both: linear_1 and linear_2 of LLaVA, language_projection of MiniGPT-4.'),
      })
      .refine((parts) => Object.values(parts).some((names) => names !== undefined), 'names no part to adapt'),
  ])
  .default(['q_proj', 'k_proj'])
  .describe(
    "Names of the language model's projections that get an adapter; or, by part of the model (language, vision, projector), names of linear layers there.",
  );

export const loraSchema = z.strictObject({
  rank: count.default(8).describe('Rank of the update to each matrix: a higher one learns more and costs more.'),
  alpha: z.number().positive().default(16).describe('The update is scaled by alpha / rank.'),
  dropout: z.number().min(0).lt(1).default(0.05).describe('Dropout on the input of each adapter, in training.'),
  targetModules: targetModulesSchema,
  rslora: z
    .boolean()
    .optional()
    .describe('Rank-stabilized (rsLoRA): scaled by alpha / √rank, so that high ranks learn as fast. Default: false.'),
  dora: z
    .boolean()
    .optional()
    .describe(
      'Weight-decomposed (DoRA): the norm of each row of an adapted matrix is learned apart from its direction. Slower; such an adapter is served merged only. Default: false.',
    ),
});

export const trainableSchema = z
  .array(z.enum(trainableParts))
  .min(1)
  .optional()
  .describe(
    'Parts that are trained whole, beside the adapters. projection: the layers between vision side and language model. They are in the adapter, as modules_to_save of PEFT. Others are refused by name. Default: none.',
  );

type TargetModules = readonly string[] | { readonly [Part in AdaptedPart]?: readonly string[] | undefined };

/** The names of layers to adapt, part by part; a list alone is of the language model. */
export function targetsByPart(targetModules: TargetModules): Record<AdaptedPart, readonly string[]> {
  const parts = isList(targetModules) ? { language: targetModules } : targetModules;
  const { language = [], vision = [], projector = [] } = parts as Exclude<TargetModules, readonly string[]>;
  return { language, vision, projector };
}

const isList = (targets: TargetModules): targets is readonly string[] => Array.isArray(targets);

/** What an adapter's update is multiplied by; of rsLoRA (arXiv 2312.03732) with the rank's square root. */
export function loraScaling({ rank, alpha, rslora }: { rank: number; alpha: number; rslora?: boolean | undefined }) {
  return alpha / (rslora ? Math.sqrt(rank) : rank);
}

/** In what form a finetune takes images in: the further in front something is trained, the less is computed once. */
export type ImageEntry = 'embeddings' | 'features' | 'pixels';

/**
 * `embeddings` are computed once an image, `features` are what the vision side makes of it, also computed once, and projected in
 * each step; with `pixels` the vision side is computed in each step too.
 */
export function imageEntryOf(trained: {
  lora: { targetModules: TargetModules };
  trainable?: readonly TrainablePart[] | undefined;
}): ImageEntry {
  const { vision, projector } = targetsByPart(trained.lora.targetModules);
  if (vision.length > 0) return 'pixels';
  return projector.length > 0 || trained.trainable?.includes('projection') ? 'features' : 'embeddings';
}
