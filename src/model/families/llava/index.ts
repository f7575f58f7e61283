/**
 * LLaVA-1.5 (arXiv 2310.03744): CLIP's vision transformer → two-layer perceptron → LLaMA, as
 * `LlavaForConditionalGeneration` of transformers.
 */
import { clipVision } from '../../clip-vision.ts';
import { gelu } from '../../layers/activation.ts';
import { gatherRows } from '../../layers/embedding.ts';
import { linear } from '../../layers/linear.ts';
import type { Family, FamilyDefinition } from '../family.ts';
import { type LlavaConfig, llavaConfigSchema } from './config.ts';
import { llavaPromptForm } from './prompt.ts';
import { llavaTensors, publishedLlavaName } from './tensors.ts';

export const llava = {
  modelType: 'llava',
  title: 'LLaVA-1.5',
  configSchema: llavaConfigSchema,
  familyOf: llavaOf,
} as const satisfies FamilyDefinition;

function llavaOf(config: LlavaConfig): Family {
  const { vision_config: vision, vision_feature_layer: layer } = config;
  const patches = (vision.image_size / vision.patch_size) ** 2;
  const withClassToken = config.vision_feature_select_strategy === 'full';
  const imageTokens = withClassToken ? patches + 1 : patches;
  // Counted from the end as in Python; the states before the first layer count as well.
  const layers = layer < 0 ? vision.num_hidden_layers + 1 + layer : layer;

  return {
    architecture: 'LlavaForConditionalGeneration',
    expectedTensors: () => llavaTensors(config),
    publishedName: publishedLlavaName,
    moduleName: (published) =>
      `model.${published}`
        .replace(/^model\.language_model\.lm_head/, 'lm_head')
        .replace(/^model\.language_model\.model\./, 'model.language_model.')
        .replace(/^model\.vision_tower\.vision_model\./, 'model.vision_tower.'),
    // CLIP's attention has a q_proj too: a list of names would adapt it as well.
    adapterTargets: (targetModules) =>
      `.*language_model.*\\.(${targetModules.map((target) => target.replaceAll('.', '\\.')).join('|')})`,
    asksForTiedHead: config.tie_word_embeddings || config.text_config.tie_word_embeddings,
    imageTokens,
    imageSize: vision.image_size,
    visionFeatures(tape, weights, pixels) {
      const hidden = clipVision(tape, (name) => weights(`vision_tower.vision_model.${name}`), vision, pixels, layers);
      if (withClassToken) return hidden;
      const rows = Int32Array.from({ length: (pixels.shape[0] as number) * patches }, (_, row) => {
        const image = Math.floor(row / patches);
        return row + image + 1;
      });
      return gatherRows(tape, hidden, tape.ops.constant(rows, [rows.length]));
    },
    project(tape, weights, features) {
      const dense = (name: string) => {
        const bias = config.multimodal_projector_bias ? weights(`multi_modal_projector.${name}.bias`) : undefined;
        return [weights(`multi_modal_projector.${name}.weight`), bias] as const;
      };
      const inner = gelu(tape, linear(tape, features, ...dense('linear_1')));
      return linear(tape, inner, ...dense('linear_2'));
    },
    processorFields: {
      processor_class: 'LlavaProcessor',
      patch_size: vision.patch_size,
      // The class token, which the strategy `default` leaves out again.
      num_additional_image_tokens: 1,
      vision_feature_select_strategy: config.vision_feature_select_strategy,
      image_token: llavaPromptForm.imageMark,
    },
    promptForm: llavaPromptForm,
  };
}
