/** Whether the head is the embeddings under a second name, decided as `transformers` does when it loads a model. */
import type { FoundTensors } from './tensor-directory.ts';

const EMBEDDINGS = 'language_model.model.embed_tokens.weight';
export const HEAD = 'language_model.lm_head.weight';

/**
 * A config that asks for a tied head gets one, unless the files hold both tensors with different values: then each is used as
 * it is there. Where only the head is there, the embeddings are the head.
 *
 * @param isAsked whether the config asks for it
 * @returns whether the head is tied; where the files hold no embeddings, the head is found under their name too
 */
export async function hasTiedHead(found: FoundTensors, isAsked: boolean): Promise<boolean> {
  if (!isAsked || !found.has(HEAD)) return isAsked;
  if (found.has(EMBEDDINGS)) return found.areEqual(EMBEDDINGS, HEAD);
  found.rename(HEAD, EMBEDDINGS);
  return true;
}
