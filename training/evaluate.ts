/** The evaluate job: the losses of every answer of a file of questions, and the answers that the model writes. */

import { promptForms } from '../datasets/prompt-format.ts';
import { type AskedQuestion, askedQuestionSchema } from '../evaluation/asked-question.ts';
import type { PackedQuestion } from '../evaluation/packed-choices.ts';
import { traceScorer } from '../evaluation/score-choices.ts';
import { readModelDirectory } from '../model/files/model-directory.ts';
import { Program, type StorageType } from '../model/ops/program.ts';
import { loadTokenizer } from '../model/text/tokenizer.ts';
import { readJsonLines } from '../store/read-json.ts';
import { writeFileAtomically } from '../store/write-file.ts';
import { frozenWeights, loadWeights } from './frozen-weights.ts';
import { pictureFeatures } from './picture-features.ts';
import type { JobOutcome, JobReporter } from './report-progress.ts';
import { answerIds, choiceIds, type PromptSettings, promptIds, promptSettings } from './sequence.ts';
import { writeAnswers } from './write-answers.ts';

export interface EvaluateSettings {
  model: string;
  /** One `AskedQuestion` a line. */
  questions: string;
  batchSize: number;
  /** What the matrices of the language model are kept as; default float32. */
  weightStorage?: StorageType | undefined;
  /** `{question_id, losses}` a line, with `text` where an answer was to be written, in the order of the questions. */
  output: string;
}

/**
 * Scores the answers of all questions of the file, then has those written that questions ask for.
 *
 * @throws InputError for questions, pictures or a model that can't be used
 */
export async function evaluate(settings: EvaluateSettings, reporter: JobReporter): Promise<JobOutcome> {
  const { model, batchSize, weightStorage } = settings;
  const questions = await readJsonLines(settings.questions, askedQuestionSchema);
  const ranked = questions.filter(({ answers }) => answers.length > 0);
  const written = questions.filter(({ generate }) => generate !== undefined);
  const rankingSteps = 2 * Math.ceil(ranked.length / batchSize);
  const steps = rankingSteps + Math.ceil(written.length / batchSize);
  const { signal } = reporter;
  const losses = await rankAnswers(settings, ranked, signal, (step) => reporter.progress({ step, steps }));
  const texts = await writeAnswers(model, written, {
    batchSize,
    weightStorage,
    signal,
    onProgress: (done) => reporter.progress({ step: rankingSteps + Math.ceil(done / batchSize), steps }),
  });
  const lines = questions.map(({ question_id }) => {
    const text = texts.get(question_id);
    return JSON.stringify({ question_id, losses: losses.get(question_id) ?? [], ...(text !== undefined && { text }) });
  });
  await writeFileAtomically(settings.output, lines.map((line) => `${line}\n`).join(''));
  return { outputs: [settings.output], metrics: { questions: questions.length } };
}

/** The losses of every question's answers; progress counts two steps a batch. */
async function rankAnswers(
  settings: EvaluateSettings,
  questions: readonly AskedQuestion[],
  signal: AbortSignal,
  onProgress: (step: number) => void,
): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  if (questions.length === 0) return found;
  const { batchSize, weightStorage } = settings;
  const model = await readModelDirectory(settings.model);
  const program = new Program();
  try {
    const tokenizer = await loadTokenizer(settings.model);
    const prompts = promptSettings(model, tokenizer);
    const packed = questions.map((question) => packQuestion(question, prompts));
    const batches = chunks(packed, batchSize);
    const weights = frozenWeights(program, model, weightStorage);
    const scorer = traceScorer(program, weights, model.config, batches, batchSize);
    program.load();
    await loadWeights(program, model);

    const files = questions.map(({ picture }) => picture);
    const shown = files.filter((file) => file !== undefined);
    const features = await pictureFeatures(model, shown, {
      signal,
      onProgress: (done, total) => onProgress(Math.floor((batches.length * done) / total)),
    });
    try {
      const featureLength = prompts.queries * model.config.text_config.hidden_size;
      for (const [index, batch] of batches.entries()) {
        const pictures = new Float32Array(batchSize * featureLength);
        pictures.set(features.batch(files.slice(index * batchSize, index * batchSize + batch.length)));
        for (const losses of scorer.score(batch, pictures)) {
          found.set((questions[found.size] as AskedQuestion).question_id, losses);
        }
        onProgress(batches.length + index + 1);
        await new Promise(setImmediate);
        signal.throwIfAborted();
      }
    } finally {
      features.dispose();
    }
    return found;
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
