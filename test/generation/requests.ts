import type { GenerationRequest } from '../../src/generation/sample-requests.ts';

/** A request for tests; its number is also its image. */
export function request(number: number, values: Partial<GenerationRequest> = {}): GenerationRequest {
  return {
    id: `request-${number}`,
    image_id: number,
    question_type: 'object_localization',
    examples: [],
    source: 'random',
    prompt_version: 'generate-v1',
    seed: number,
    ...values,
  };
}
