import type { PromptForm } from '../prompt-form.ts';

/** LLaVA-1.5's, as the model card of its published checkpoints says, without a system message. */
export const llavaPromptForm: PromptForm = {
  imageMark: '<image>',
  endMark: '</s>',
  answerSeparator: ' ',
  tokenized: 'together',
  turn: 'USER: <image>\n{question} ASSISTANT:',
  turnWithoutImage: 'USER: {question} ASSISTANT:',
  trimsQuestion: true,
};
