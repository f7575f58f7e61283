import type { PromptForm } from '../prompt-form.ts';

/**
 * LLaVA-1.5's, as the model card of its published checkpoints says, without a system message. Conversations are those of
 * `conv_vicuna_v1` (`llava/conversation.py` of LLaVA, separators of the style TWO), with the sample's system prompt or none
 * instead of Vicuna's; several images of a turn are as the chat template of `llava-hf/llava-1.5-7b-hf` puts them.
 */
export const llavaPromptForm: PromptForm = {
  imageMark: '<image>',
  endMark: '</s>',
  answerSeparator: ' ',
  tokenized: 'together',
  turn: 'USER: <image>\n{question} ASSISTANT:',
  turnWithoutImage: 'USER: {question} ASSISTANT:',
  trimsQuestion: true,
  conversation: { system: '{system} ', image: '<image>\n', laterTurn: 'USER: {question} ASSISTANT:' },
};
