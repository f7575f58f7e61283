import { familyOf } from '../families/index.ts';
import type { ModelConfig } from './model-config.ts';

/** The name and shape of every tensor of a model of this config, in the order in which they are used. */
export function expectedTensors(config: ModelConfig): Map<string, number[]> {
  return familyOf(config).expectedTensors();
}
