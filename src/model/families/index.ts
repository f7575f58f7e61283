import type { ModelConfig } from '../files/model-config.ts';
import type { Family } from './family.ts';
import { llava } from './llava.ts';
import { miniGpt4 } from './minigpt4.ts';

export { type Family, imageEmbeddings, type PromptFormName } from './family.ts';

/** The family of a model, by `model_type` of its `config.json`. */
export function familyOf(config: ModelConfig): Family {
  switch (config.model_type) {
    case 'blip-2':
      return miniGpt4(config);
    case 'llava':
      return llava(config);
  }
}
