/**
 * MiniGPT-4 (arXiv 2304.10592): vision encoder → Q-Former → linear projection → LLaMA, in the layout of
 * transformers' `Blip2ForConditionalGeneration`.
 */
import type { Blip2Config } from '../files/blip2-config.ts';
import { blip2Tensors } from '../files/blip2-tensors.ts';
import { linear } from '../layers/linear.ts';
import { queryTransformer } from '../query-transformer.ts';
import { visionEncoder } from '../vision-encoder.ts';
import type { Family } from './family.ts';

export function miniGpt4(config: Blip2Config): Family {
  return {
    architecture: 'Blip2ForConditionalGeneration',
    expectedTensors: () => blip2Tensors(config),
    publishedName: (name) => name,
    moduleName: (published) => published,
    // No layer of the vision encoder or the Q-Former ends in a name of LLaMA's.
    adapterTargets: (targetModules) => [...targetModules],
    imageTokens: config.num_query_tokens,
    imageSize: config.vision_config.image_size,
    visionFeatures(tape, weights, pixels) {
      const seen = visionEncoder(tape, weights, config, pixels);
      return queryTransformer(tape, weights, config, seen, pixels.shape[0] as number);
    },
    project(tape, weights, seen) {
      return linear(tape, seen, weights('language_projection.weight'), weights('language_projection.bias'));
    },
    promptForm: 'minigpt4',
  };
}
