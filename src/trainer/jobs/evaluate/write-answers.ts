/** The answers that the evaluate job has the model write, greedily. */
import { familyOf } from '../../../model/families/index.ts';
import { readModelConfig } from '../../../model/files/model-config.ts';
import { loadTokenizer } from '../../../model/text/tokenizer.ts';
import { type EvaluationQuestion, imagesOfQuestion } from '../../job-files.ts';
import { type GenerateOptions, generateTexts } from '../generate-text.ts';
import { promptOf } from '../sequence.ts';

/**
 * Answers the questions that ask for a written answer (`generate`), up to the end mark of the model's family.
 *
 * @returns question id → its text, blanks around it removed
 * @throws InputError for images or a model that can't be used
 */
export async function writeAnswers(
  directory: string,
  questions: readonly EvaluationQuestion[],
  {
    onTexts,
    ...options
  }: Omit<GenerateOptions, 'onTexts'> & {
    batchSize: number;
    /** Given what was written, batch by batch. */
    onTexts?: (texts: { question_id: string; text: string }[]) => Promise<void>;
  },
): Promise<Map<string, string>> {
  const toWrite = questions.flatMap(({ question_id, image, laterImages, generate }) =>
    generate === undefined ? [] : [{ question_id, image, laterImages, ...generate }],
  );
  if (toWrite.length === 0) return new Map();
  const { promptForm: form } = familyOf(await readModelConfig(directory));
  const tokenizer = await loadTokenizer(directory);
  const requests = toWrite.map(({ question_id, image, laterImages, question, trimsTurn }) => {
    const turn = promptOf(question, { tokenizer, form }, imagesOfQuestion({ image, laterImages }).length);
    const prompt = trimsTurn ? turn.trimEnd() : turn;
    return { id: question_id, prompt, isRaw: true, image, laterImages };
  });
  const maximumNewTokens = Math.max(...toWrite.map((one) => one.maximumNewTokens));
  const settings = { strategy: { kind: 'greedy' }, maximumNewTokens } as const;
  const texts = await generateTexts(directory, requests, settings, {
    ...options,
    onTexts: onTexts && ((some) => onTexts(some.map(({ id, text }) => ({ question_id: id, text: text.trim() })))),
  });
  return new Map(requests.map(({ id }, index) => [id, texts[index]?.text.trim() ?? '']));
}
