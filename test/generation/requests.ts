import type { ImageId } from '../../src/core/images/image-id.ts';
import type { GenerationRequest } from '../../src/generation/sample-requests.ts';

/** A request for tests; its number is also its image. */
export function request(number: ImageId, values: Partial<GenerationRequest> = {}): GenerationRequest {
  return {
    id: `request-${number}`,
    image_id: number,
    question_type: 'object_localization',
    examples: [],
    source: 'random',
    prompt_version: 'generate-v1',
    seed: Number(number),
    ...values,
  };
}
