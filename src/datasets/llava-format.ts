import { aokvqaImagePath } from './aokvqa.ts';
import type { EngineSample } from './engine-data.ts';

/** A training sample of LLaVA (https://github.com/haotian-liu/LLaVA, docs/Finetune_Custom_Data.md). */
export interface LlavaSample {
  id: string;
  /** Relative to LLaVA's image folder. */
  image: string;
  conversations: { from: 'human' | 'gpt'; value: string }[];
}

const LETTERS = 'ABCD';
// What LLaVA-1.5 adds to the multiple-choice questions of its own mixture.
const REQUEST = "Answer with the option's letter from the given choices directly.";
const REQUEST_WITH_REASON = "Answer with the option's letter from the given choices, and explain your answer.";

/** Writes a sample as LLaVA-1.5's mixture has A-OKVQA: choices a line each, the letter as the answer. */
export function llavaSample(
  { image_id, question, choices, correct_choice_idx, rationales }: EngineSample,
  options: { id: string; images: string; answerFormat: 'QMA' | 'QMAE' },
): LlavaSample {
  const reason = options.answerFormat === 'QMAE' ? (rationales[0] ?? '').replace(/^Explanations?:\s*/i, '') : '';
  const lines = choices.map((choice, index) => `${LETTERS[index]}. ${choice}`);
  const letter = String(LETTERS[correct_choice_idx]);
  return {
    id: options.id,
    image: aokvqaImagePath(options.images, image_id),
    conversations: [
      {
        from: 'human',
        value: ['<image>', question, ...lines, reason === '' ? REQUEST : REQUEST_WITH_REASON].join('\n'),
      },
      { from: 'gpt', value: reason === '' ? letter : `${letter}. ${reason}` },
    ],
  };
}
