import type { PromptForm } from '../prompt-form.ts';

/** MiniGPT-4's, as its `minigpt4/models/mini_gpt4.py` builds it. */
export const miniGpt4PromptForm: PromptForm = {
  imageMark: '<ImageHere>',
  endMark: '###',
  answerSeparator: '',
  tokenized: 'apart',
  turn: '###Human: <Img><ImageHere></Img> {question}###Assistant: ',
  turnWithoutImage: '###Human: {question}###Assistant: ',
  trimsQuestion: false,
};
