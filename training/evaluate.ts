/** The evaluate job: the losses of every choice of a shard of questions. */

import { type AokvqaQuestion, aokvqaPicturePath, readAokvqa } from '../datasets/aokvqa.ts';
import { humanTurn } from '../datasets/prompt-format.ts';
import type { PackedQuestion } from '../evaluation/packed-choices.ts';
import { traceScorer } from '../evaluation/score-choices.ts';
import { readModelDirectory } from '../model/files/model-directory.ts';
import { Program } from '../model/ops/program.ts';
import { loadTokenizer } from '../model/text/tokenizer.ts';
import { writeFileAtomically } from '../store/write-file.ts';
import { frozenWeights, loadWeights } from './frozen-weights.ts';
import { pictureFeatures } from './picture-features.ts';
import type { JobOutcome, JobReporter } from './report-progress.ts';
import { answerIds, choiceIds, type PromptSettings, promptIds, promptSettings } from './sequence.ts';

export interface EvaluateSettings {
  model: string;
  /** Questions in A-OKVQA's format. */
  questions: string;
  /** Folder of their pictures. */
  pictures: string;
  /** Only the first so many questions. */
  limit?: number;
  shard: { index: number; count: number };
  batchSize: number;
  /** `{question_id, losses}` a line, in the order of the questions. */
  output: string;
}

/** What comes before the choice, in question and answer alike; the choice itself begins with a space. */
const ANSWER_START = 'The answer is';
const LETTERS = 'ABCDEFGHIJ';

/**
 * Scores one shard: every `count`-th question from `index` on, so that no question is dropped whatever the
 * number of shards.
 *
 * @throws InputError for questions, pictures or a model that can't be used
 */
export async function evaluate(settings: EvaluateSettings, reporter: JobReporter): Promise<JobOutcome> {
  const { shard, batchSize } = settings;
  const all = (await readAokvqa(settings.questions)).slice(0, settings.limit);
  const questions = all.filter((_, index) => index % shard.count === shard.index);
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

    const files = questions.map(({ image_id }) => aokvqaPicturePath(settings.pictures, image_id));
    const steps = batches.length * 2;
    const { signal } = reporter;
    const features = await pictureFeatures(model, files, {
      signal,
      onProgress: (done, total) => reporter.progress({ step: Math.floor((batches.length * done) / total), steps }),
    });
    const lines: string[] = [];
    const featureLength = prompts.queries * model.config.text_config.hidden_size;
    for (const [index, batch] of batches.entries()) {
      const pictures = new Float32Array(batchSize * featureLength);
      pictures.set(features.batch(files.slice(index * batchSize, index * batchSize + batch.length)));
      for (const losses of scorer.score(batch, pictures)) {
        const { question_id } = questions[lines.length] as AokvqaQuestion;
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

/** Prompt, start of the answer, and ` (A) choice` for every choice. */
function packQuestion({ question, choices }: AokvqaQuestion, settings: PromptSettings): PackedQuestion {
  const prompt = humanTurn(question, choices, settings.form);
  const { ids, pictureStart } = promptIds(prompt, settings);
  const asked = [...ids, ...answerIds(prompt, ANSWER_START, settings)];
  const lettered = choices.map((choice, index) => ` (${LETTERS[index]}) ${choice}`);
  const scored = choiceIds(prompt, ANSWER_START, lettered, settings);
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
