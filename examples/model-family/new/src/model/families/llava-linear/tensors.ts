import { clipVisionTensors } from '../../files/clip.ts';
import { llamaTensors } from '../../files/llama.ts';
import { linear, prefixed } from '../../files/tensor-shapes.ts';
import type { LlavaLinearConfig } from './config.ts';

/** The name and shape of every tensor, in the order in which they are used. */
export function llavaLinearTensors({ vision_config, text_config }: LlavaLinearConfig): Map<string, number[]> {
  return new Map([
    ...prefixed('vision_tower.vision_model', clipVisionTensors(vision_config)),
    ...linear('multi_modal_projector', vision_config.hidden_size, text_config.hidden_size),
    ...prefixed('language_model', llamaTensors(text_config)),
  ]);
}
