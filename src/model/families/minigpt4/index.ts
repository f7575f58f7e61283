/**
 * MiniGPT-4 (arXiv 2304.10592): vision encoder → Q-Former → linear projection → LLaMA, in the layout of
 * transformers' `Blip2ForConditionalGeneration`.
 */

import { linear } from '../../layers/linear.ts';
import type { Family, FamilyDefinition } from '../family.ts';
import { type Blip2Config, blip2ConfigSchema } from './config.ts';
import { miniGpt4PromptForm, miniGpt4ReferenceForm } from './prompt.ts';
import { queryTransformer } from './query-transformer.ts';
import { blip2Tensors } from './tensors.ts';
import { visionEncoder } from './vision-encoder.ts';

export const miniGpt4 = {
  modelType: 'blip-2',
  title: 'MiniGPT-4',
  configSchema: blip2ConfigSchema,
  familyOf: miniGpt4Of,
} as const satisfies FamilyDefinition;

function miniGpt4Of(config: Blip2Config): Family {
  return {
    architecture: 'Blip2ForConditionalGeneration',
    expectedTensors: () => blip2Tensors(config),
    publishedName: (name) => name,
    moduleName: (published) => published,
    // No layer of the vision encoder or the Q-Former ends in a name of LLaMA's.
    adapterTargets: (targetModules) => [...targetModules],
    asksForTiedHead: config.text_config.tie_word_embeddings,
    imageTokens: config.num_query_tokens,
    imageSize: config.vision_config.image_size,
    visionFeatures(tape, weights, pixels) {
      const hidden = visionEncoder(tape, weights, config, pixels);
      return queryTransformer(tape, weights, config, hidden, pixels.shape[0] as number);
    },
    project(tape, weights, features) {
      return linear(tape, features, weights('language_projection.weight'), weights('language_projection.bias'));
    },
    promptForm: miniGpt4PromptForm,
    referenceForm: miniGpt4ReferenceForm,
  };
}
