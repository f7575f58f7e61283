/**
 * LLaVA as first published (arXiv 2304.08485): CLIP's vision transformer → one linear layer → LLaMA. `transformers` has no
 * class for it, so that its directories are read and written by this program only.
 */
import { clipVision } from '../../clip-vision.ts';
import { gatherRows } from '../../layers/embedding.ts';
import { linear } from '../../layers/linear.ts';
import type { Family, FamilyDefinition } from '../family.ts';
import { type LlavaLinearConfig, llavaLinearConfigSchema } from './config.ts';
import { llavaLinearPromptForm } from './prompt.ts';
import { llavaLinearTensors } from './tensors.ts';

export const llavaLinear = {
  modelType: 'llava-linear',
  title: 'LLaVA with a linear projection',
  configSchema: llavaLinearConfigSchema,
  familyOf: llavaLinearOf,
} as const satisfies FamilyDefinition;

function llavaLinearOf(config: LlavaLinearConfig): Family {
  const { vision_config: vision } = config;
  const patches = (vision.image_size / vision.patch_size) ** 2;
  // The last layer sees to CLIP's own task: features are taken before it.
  const layers = vision.num_hidden_layers - 1;
  return {
    architecture: 'LlavaLinearForConditionalGeneration',
    expectedTensors: () => llavaLinearTensors(config),
    publishedName: (name) => name,
    moduleName: (published) => published,
    // CLIP's attention has a q_proj too: a list of names would adapt it as well.
    adapterTargets: (targetModules) => `language_model.*\\.(${targetModules.join('|')})`,
    asksForTiedHead: config.text_config.tie_word_embeddings,
    imageTokens: patches,
    imageSize: vision.image_size,
    visionFeatures(tape, weights, pixels) {
      const seen = clipVision(tape, (name) => weights(`vision_tower.vision_model.${name}`), vision, pixels, layers);
      // All rows but the class token, the first of each image.
      const rows = Int32Array.from(
        { length: (pixels.shape[0] as number) * patches },
        (_, row) => row + Math.floor(row / patches) + 1,
      );
      return gatherRows(tape, seen, tape.ops.constant(rows, [rows.length]));
    },
    project: (tape, weights, seen) =>
      linear(tape, seen, weights('multi_modal_projector.weight'), weights('multi_modal_projector.bias')),
    promptForm: llavaLinearPromptForm,
  };
}
