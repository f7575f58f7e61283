/** A conversation as a built-in family reads it: the words of its training around what is asked, to the token. */
import { InputError } from '../../core/input-error.ts';
import type { Turn } from '../../datasets/train-dataset.ts';
import { conversationIds } from '../../trainer/jobs/conversation.ts';
import { type PromptSettings, promptIds, promptOf } from '../../trainer/jobs/sequence.ts';
import type { ChatTurn } from '../engine.ts';

/** What the last turn is; an open answer has no end mark. */
export type Expected = 'question' | 'anything' | 'openAnswer';

/**
 * The ids of turns; places of images are those of `images` of the same turns, in their order.
 *
 * @param expects what the last turn is
 * @throws InputError naming the turn that the family has no words for
 */
export async function chatIds(
  turns: readonly ChatTurn[],
  settings: PromptSettings,
  { model, expects }: { model: string; expects: Expected },
): Promise<{ tokenIds: number[]; images: number[] }> {
  requireOrder(turns, model, expects);
  if (settings.form.conversation !== undefined) {
    return conversationIds(turns.map(trainingTurn), settings, { openEnd: expects === 'openAnswer' });
  }
  const [only] = turns;
  const [image, ...others] = only === undefined ? [] : imagesOfTurns([only]);
  if (turns.length !== 1 || only?.role !== 'user' || others.length > 0) {
    throw new InputError({
      file: model,
      field: 'messages',
      problem: 'have several turns, a system prompt or several images, which the words of this model are not known for',
      remedy: 'Ask one question about one image',
    });
  }
  const words = only.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
  const { ids, imageStart } = await promptIds(promptOf(words, settings, image === undefined ? 0 : 1), settings);
  return { tokenIds: ids, images: imageStart < 0 ? [] : [imageStart] };
}

/** The images of turns, in the order in which they are shown. */
export function imagesOfTurns(turns: readonly ChatTurn[]): Uint8Array[] {
  return turns.flatMap(({ content }) => content.flatMap((part) => (part.type === 'image' ? [part.image] : [])));
}

/** A system prompt or none, then user and assistant one after the other. */
function requireOrder(turns: readonly ChatTurn[], model: string, expects: Expected): void {
  const refuse = (index: number, problem: string, remedy: string) =>
    new InputError({ file: model, field: `messages[${index}]`, problem, remedy });
  const first = turns[0]?.role === 'system' ? 1 : 0;
  for (const [index, { role, content }] of turns.entries()) {
    const wanted = index < first ? 'system' : (index - first) % 2 === 0 ? 'user' : 'assistant';
    if (role !== wanted) {
      throw refuse(
        index,
        `is of the ${role}, where one of the ${wanted} is expected`,
        'Let user and assistant take turns',
      );
    }
    if (role !== 'user' && content.some(({ type }) => type === 'image')) {
      throw refuse(index, `is of the ${role} and has an image`, 'Show images in turns of the user');
    }
  }
  const last = turns.at(-1);
  if (last === undefined || last.role === 'system' || (expects === 'question' && last.role !== 'user')) {
    throw refuse(Math.max(0, turns.length - 1), 'is no question of the user', 'End with a turn of the user');
  }
}

/** Images are only counted: their content goes another way. */
function trainingTurn({ role, content }: ChatTurn): Turn {
  const parts = content.map((part) => (part.type === 'text' ? { text: part.text } : { image: '' }));
  return { role, content: (parts.length > 0 ? parts : [{ text: '' }]) as Turn['content'] };
}
