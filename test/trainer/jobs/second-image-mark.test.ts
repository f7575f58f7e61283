/** Cases `parity/second-image-mark` and `bugs/13-image-mark-in-text`: an image mark in a question's own words is text. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeFileAtomically } from '../../../src/core/write-file.ts';
import { questionTurn } from '../../../src/model/families/prompt-form.ts';
import { readModelDirectory } from '../../../src/model/files/model-directory.ts';
import { loadTokenizer } from '../../../src/model/text/tokenizer.ts';
import { answerIds, promptIds, promptSettings, trainingSequence } from '../../../src/trainer/jobs/sequence.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeTinyModel } from '../../helpers/tiny-model.ts';

/** What the mark is called in a tokenizer for which the question's words hold no mark: the ids that are right. */
const OTHER_NAME = '\uE000image\uE000';

async function bothNames(family: 'minigpt4' | 'llava') {
  const directory = await temporaryFolder();
  await writeTinyModel(directory, { family });
  const model = await readModelDirectory(directory);
  await model.close();
  const settings = promptSettings(model, await loadTokenizer(directory));
  const { imageMark } = settings.form;
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json']) {
    const file = path.join(directory, name);
    const content = await readFile(file, 'utf8');
    await writeFileAtomically(file, content.replaceAll(imageMark, OTHER_NAME));
  }
  const form = {
    ...settings.form,
    imageMark: OTHER_NAME,
    turn: settings.form.turn.replace(imageMark, OTHER_NAME),
  };
  return { settings, renamed: { ...settings, form, tokenizer: await loadTokenizer(directory) } };
}

describe.each([
  ['minigpt4', 'What does the <ImageHere> tag mean? Is it <ImageHere>red?'],
  ['llava', 'What does the <image> tag mean? Is it <image>red?'],
] as const)('%s', (family, question) => {
  test('has all ids of the question, and one image', async () => {
    const { settings, renamed } = await bothNames(family);
    for (const withImage of [true, false]) {
      const found = await promptIds(questionTurn(settings.form, question, { withImage }), settings);
      expect(found).toEqual(await promptIds(questionTurn(renamed.form, question, { withImage }), renamed));
      const mark = settings.tokenizer.tokenId(settings.form.imageMark) as number;
      expect(found.ids.filter((id) => id === mark)).toHaveLength(withImage ? settings.queries : 0);
      expect(settings.tokenizer.decode(found.ids)).toContain(question);
    }
  });

  test('has all ids of an answer and of a training sample', async () => {
    const { settings, renamed } = await bothNames(family);
    const [prompt, other] = [settings, renamed].map(({ form }) => questionTurn(form, question, { withImage: true }));
    const sequence = { ...settings, maximumTokens: 500 };
    expect(await answerIds(prompt as string, question, settings)).toEqual(
      await answerIds(other as string, question, renamed),
    );
    expect(await trainingSequence(prompt as string, question, sequence)).toEqual(
      await trainingSequence(other as string, question, { ...renamed, maximumTokens: 500 }),
    );
  });
});
