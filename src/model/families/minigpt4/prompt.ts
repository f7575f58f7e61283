import type { PromptForm } from '../prompt-form.ts';

/**
 * MiniGPT-4's, as its `minigpt4/models/mini_gpt4.py` builds it. Conversations are as `get_prompt` of its
 * `minigpt4/conversation/conversation.py` writes them (the style SINGLE): what ends an answer starts the next turn.
 */
export const miniGpt4PromptForm: PromptForm = {
  imageMark: '<ImageHere>',
  endMark: '###',
  answerSeparator: '',
  tokenized: 'apart',
  turn: '###Human: <Img><ImageHere></Img> {question}###Assistant: ',
  turnWithoutImage: '###Human: {question}###Assistant: ',
  trimsQuestion: false,
  conversation: {
    system: '{system}',
    image: '<Img><ImageHere></Img> ',
    laterTurn: 'Human: {question}###Assistant: ',
  },
};

/**
 * As the reference system (MLLM-DataEngine, version1.0) splits it: question and answer are one text behind `</Img> ` in
 * training (`forward`), and `The answer is` is one text with the question where choices are ranked, which is done without a
 * begin token and with `<img>` in small letters (`evaluate_on_AOKVQA` of `vqa_blip2.py`). It has no conversations.
 */
export const miniGpt4ReferenceForm: PromptForm = {
  ...miniGpt4PromptForm,
  conversation: undefined,
  tokenized: 'questionWithAnswer',
  rankedTurn: '###Human: <img><ImageHere></img> {question}###Assistant: ',
};
