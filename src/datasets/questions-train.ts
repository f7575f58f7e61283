import { locateImage } from './locate-image.ts';
import { readQuestionRows } from './own-questions.ts';
import { withInstruction } from './question-text.ts';
import type { TrainDataset } from './train-dataset.ts';

/** Questions of your own for training: with choices as A-OKVQA's; else the first of the answers is learned. */
export const questionsTrain: TrainDataset = {
  settings: ['format', 'columns', 'skipInvalid', 'instruction'],
  downloads: {},

  async *read(source, onLeftOut) {
    const { path: file, settings } = source;
    for await (const question of readQuestionRows({ file, ...settings, onLeftOut })) {
      const { id, question: words, choices, correct, rationales = [], answers = [], type: questionType } = question;
      const image = await locateImage(question.image, source);
      if (choices === undefined)
        yield {
          id,
          image,
          question: withInstruction(words, settings?.instruction),
          answer: answers[0] as string,
          questionType,
        };
      else yield { id, image, question: words, choices, correct: correct as number, rationales, questionType };
    }
  },
};
