/** The evaluate job: the losses of every answer of a file of questions. */

import { promptForms } from '../datasets/prompt-format.ts';
import { type AskedQuestion, askedQuestionSchema } from '../evaluation/asked-question.ts';
import type { PackedQuestion } from '../evaluation/packed-choices.ts';
import { traceScorer } from '../evaluation/score-choices.ts';
import { readModelDirectory } from '../model/files/model-directory.ts';
import { Program } from '../model/ops/program.ts';
import { loadTokenizer } from '../model/text/tokenizer.ts';
import { readJsonLines } from '../store/read-json.ts';
import { writeFileAtomically } from '../store/write-file.ts';
import { frozenWeights, loadWeights } from './frozen-weights.ts';
import { pictureFeatures } from './picture-features.ts';
import type { JobOutcome, JobReporter } from './report-progress.ts';
import { answerIds, choiceIds, type PromptSettings, promptIds, promptSettings } from './sequence.ts';

export interface EvaluateSettings {
  model: string;
  /** One `AskedQuestion` a line. */
  questions: string;
  batchSize: number;
  /** `{question_id, losses}` a line, in the order of the questions. */
  output: string;
}

/**
 * Scores the answers of all questions of the file.
 *
 * @throws InputError for questions, pictures or a model that can't be used
 */
export async function evaluate(settings: EvaluateSettings, reporter: JobReporter): Promise<JobOutcome> {
  const { batchSize } = settings;
  const questions = await readJsonLines(settings.questions, askedQuestionSchema);
  const model = await readModelDirectory(settings.model);
  const program = new Program();
  try {
    const tokenizer = await loadTokenizer(settings.model);
    const prompts = promptSettings(model, tokenizer);
    const packed = questions.map((question) => packQuestion(question, prompts));
    const batches = chunks(packed, batchSize);
    const scorer = traceScorer(program, frozenWeights(program, model), model.config, batches, batchSize);
    program.load();
    await loadWeights(program, model);

    const files = questions.map(({ picture }) => picture);
    const steps = batches.length * 2;
    const { signal } = reporter;
    const shown = files.filter((file) => file !== undefined);
    const features = await pictureFeatures(model, shown, {
      signal,
      onProgress: (done, total) => reporter.progress({ step: Math.floor((batches.length * done) / total), steps }),
    });
    const lines: string[] = [];
    const featureLength = prompts.queries * model.config.text_config.hidden_size;
    for (const [index, batch] of batches.entries()) {
      const pictures = new Float32Array(batchSize * featureLength);
      pictures.set(features.batch(files.slice(index * batchSize, index * batchSize + batch.length)));
      for (const losses of scorer.score(batch, pictures)) {
        const { question_id } = questions[lines.length] as AskedQuestion;
        lines.push(JSON.stringify({ question_id, losses }));
      }
      reporter.progress({ step: batches.length + index + 1, steps });
      await new Promise(setImmediate);
      signal.throwIfAborted();
    }
    await writeFileAtomically(settings.output, lines.map((line) => `${line}\n`).join(''));
    return { outputs: [settings.output], metrics: { questions: questions.length } };
  } finally {
    program.dispose();
    await model.close();
  }
}

/** Prompt, start of the answer, and what each answer adds to it. */
function packQuestion(
  { picture, question, answerStart, answers }: AskedQuestion,
  settings: PromptSettings,
): PackedQuestion {
  const { turn, turnWithoutPicture } = settings.form ?? promptForms.minigpt4;
  const prompt = picture === undefined ? turnWithoutPicture(question) : turn(question);
  const { ids, pictureStart } = promptIds(prompt, settings);
  const started = answerStart !== '';
  const asked = started ? [...ids, ...answerIds(prompt, answerStart, settings)] : ids;
  const rests = answers.map((answer) => answer.slice(answerStart.length));
  const scored = started
    ? choiceIds(prompt, answerStart, rests, settings)
    : answers.map((answer) => answerIds(prompt, answer, settings));
  return {
    tokenIds: [...asked, ...scored.flat()],
    promptLength: asked.length,
    choiceLengths: scored.map((choice) => choice.length),
    pictureStart,
  };
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
