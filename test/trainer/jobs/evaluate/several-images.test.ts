/** Questions that show several images, on TensorFlow. test/trainer/torch/several-images.test.ts holds them against transformers. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readJsonLines } from '../../../../src/core/read-json.ts';
import { writeJsonLines } from '../../../../src/core/write-file.ts';
import { familyOf } from '../../../../src/model/families/index.ts';
import { readModelConfig } from '../../../../src/model/files/model-config.ts';
import { loadTokenizer } from '../../../../src/model/text/tokenizer.ts';
import {
  type EvaluationAnswer,
  type EvaluationQuestion,
  evaluationAnswerSchema,
} from '../../../../src/trainer/job-files.ts';
import { conversationIds } from '../../../../src/trainer/jobs/conversation.ts';
import { evaluate } from '../../../../src/trainer/jobs/evaluate/evaluate.ts';
import { promptIds, promptOf, promptSettings } from '../../../../src/trainer/jobs/sequence.ts';
import { maximumDifference, recordingReporter } from '../../../helpers/jobs.ts';
import { temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { writeTinyModel, writeTinyQuestions } from '../../../helpers/tiny-model.ts';

const families = ['llava', 'minigpt4'] as const;

async function answersOf(
  model: string,
  questions: readonly EvaluationQuestion[],
  batchSize: number,
): Promise<EvaluationAnswer[]> {
  const folder = await temporaryFolder();
  const [file, output] = [path.join(folder, 'asked.jsonl'), path.join(folder, 'answers.jsonl')];
  await writeJsonLines(file, questions);
  await evaluate({ model, questions: file, output, batchSize }, recordingReporter());
  return readJsonLines(output, evaluationAnswerSchema);
}

test.each(families)(
  '%s: an answer does not depend on the batch, and each image and their order count',
  async (family) => {
    const folder = await temporaryFolder();
    const model = path.join(folder, 'model');
    await writeTinyModel(model, { family, seed: 4 });
    const { images } = await writeTinyQuestions(path.join(folder, 'questions'), 4);
    const [one, other] = (await readdir(images)).map((name) => path.join(images, name)) as [string, string];
    const asked = {
      question: 'Which of them is red?',
      answerStart: 'The answer is',
      answers: ['The answer is (A) dog', 'The answer is (B) cat'],
      generate: { question: 'Which of them is red?', maximumNewTokens: 6 },
    };
    const questions: EvaluationQuestion[] = [
      { question_id: 'none', ...asked },
      { question_id: 'two', image: one, laterImages: [other], ...asked },
      { question_id: 'turned', image: other, laterImages: [one], ...asked },
      { question_id: 'one', image: one, ...asked },
      { question_id: 'six', image: one, laterImages: [other, one, other, one, other], ...asked },
    ];
    const together = await answersOf(model, questions, 5);
    const inTwos = await answersOf(model, questions, 2);
    for (const [index, question] of questions.entries()) {
      const [alone] = await answersOf(model, [question], 1);
      for (const found of [together[index], inTwos[index]]) {
        expect(found?.text).toBe(alone?.text);
        expect(maximumDifference(found?.losses ?? [], alone?.losses ?? [])).toBeLessThan(1e-4);
      }
    }
    expect(new Set(together.map(({ losses }) => losses.map((loss) => loss.toFixed(5)).join())).size).toBe(5);
  },
);

test.each(families)('%s: a prompt has the ids of a conversation of one turn', async (family) => {
  const model = path.join(await temporaryFolder(), 'model');
  await writeTinyModel(model, { family });
  const config = await readModelConfig(model);
  const settings = promptSettings({ directory: model, config }, await loadTokenizer(model));
  const { imageMark } = familyOf(config).promptForm;
  for (const question of ['Which is red?', `What does ${imageMark} mean?`, '</s> ### which?\n']) {
    const content = [{ image: 'a' }, { image: 'b' }, { image: 'c' }, { text: question }];
    const expected = await conversationIds([{ role: 'user', content }], settings);
    const { ids, imageStart, laterImages = [] } = await promptIds(promptOf(question, settings, 3), settings, 3);
    expect({ tokenIds: ids, images: [imageStart, ...laterImages] }).toEqual(expected);
  }
});
