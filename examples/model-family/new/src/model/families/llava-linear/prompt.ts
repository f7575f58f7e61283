import type { PromptForm } from '../prompt-form.ts';

/** The form of LLaVA's first checkpoints, without a system message. */
export const llavaLinearPromptForm: PromptForm = {
  imageMark: '<image>',
  endMark: '###',
  answerSeparator: ' ',
  tokenized: 'together',
  turn: 'Human: <image>\n{question}###Assistant:',
  turnWithoutImage: 'Human: {question}###Assistant:',
  trimsQuestion: true,
};
