import { clipVisionTensors } from '../../files/clip.ts';
import { llamaTensors } from '../../files/llama.ts';
import { linear, prefixed } from '../../files/tensor-shapes.ts';
import type { LlavaConfig } from './config.ts';

/**
 * The name and shape of every tensor of a `LlavaForConditionalGeneration` of this config, in the order in
 * which they are used and by the names of the published checkpoints.
 */
export function llavaTensors(config: LlavaConfig): Map<string, number[]> {
  const { vision_config: vision, text_config: text, multimodal_projector_bias: hasBias } = config;
  return new Map([
    ...prefixed('vision_tower.vision_model', clipVisionTensors(vision)),
    ...linear('multi_modal_projector.linear_1', vision.hidden_size, text.hidden_size, hasBias),
    ...linear('multi_modal_projector.linear_2', text.hidden_size, text.hidden_size, hasBias),
    ...prefixed('language_model', llamaTensors(text)),
  ]);
}

/**
 * A tensor's or module's name as in the published checkpoints, whichever version of `transformers` wrote it:
 * in memory, and so in adapters, 4.52 and later call the language model `model.language_model` and the head
 * `lm_head`; 5 leaves out `vision_model` as well.
 */
export function publishedLlavaName(name: string): string {
  return name
    .replace(/^model\.(?=vision_tower\.|multi_modal_projector\.|language_model\.)/, '')
    .replace(/^vision_tower\.(?!vision_model\.)/, 'vision_tower.vision_model.')
    .replace(/^language_model\.(?=embed_tokens\.|layers\.|norm\.)/, 'language_model.model.')
    .replace(/^lm_head(?=$|\.)/, 'language_model.lm_head');
}
