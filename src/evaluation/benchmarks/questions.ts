/**
 * Questions of your own (`src/datasets/own-questions.ts`). Choices are ranked as A-OKVQA's are; a short answer is written by
 * the model and scored by the metric that the config names.
 */

import { basename, dirname, join } from 'node:path';
import { hashBytes } from '../../core/hash.ts';
import type { ImageId } from '../../core/images/image-id.ts';
import { keepImage } from '../../core/images/keep-image.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { countBy } from '../../core/records.ts';
import { type OwnQuestion, readOwnQuestions } from '../../datasets/own-questions.ts';
import { listedQuestion, rankedQuestion, withInstruction } from '../../datasets/question-text.ts';
import { badCasePrompt, type EvaluatedQuestion, isRight } from '../bad-cases.ts';
import { type MetricName, type MetricSettings, metricOf, referencesProblem } from '../metrics/index.ts';
import {
  type AnsweredQuestion,
  type Benchmark,
  type BenchmarkSource,
  type Measures,
  type QuestionScore,
  requireImageFolder,
  withAccuracyOfAll,
} from './benchmark.ts';

type Question = Omit<OwnQuestion, 'image' | 'type'> & {
  /** Absolute path. */
  image: string;
  /** The same as `id`. */
  question_id: string;
  /** Its path in the folder of images; of an image that the file itself holds, the hash of its content. */
  image_id: ImageId;
  question_type?: string | undefined;
  metric: MetricName;
  metricSettings: MetricSettings;
  /** What the question ends with where no choices are listed. */
  instruction?: string | undefined;
};

export const questions: Benchmark<Question> = {
  title: 'Questions of your own',
  answerModes: ['ranked'],
  takesQuestionSettings: true,
  downloads: {},

  async read(source) {
    const { metric = 'exact-match', tolerance, fields, instruction } = source.questions ?? {};
    return Promise.all(
      (await readScorable(source)).questions.map(async ({ image, type, ...question }) => ({
        ...question,
        question_id: question.id,
        ...(type !== undefined && { question_type: type }),
        metric,
        metricSettings: { tolerance, fields },
        instruction,
        image:
          'content' in image ? await keepImage(image.content, source.extractedImages) : await fileOf(source, image),
        image_id: 'content' in image ? hashBytes(image.content) : image.path,
      })),
    );
  },

  async check(source) {
    const { questions: read, reasons } = await readScorable(source);
    const inFolder = read.flatMap(({ image }) => ('path' in image ? [image] : []));
    const images = await Promise.all(inFolder.map((image) => fileOf(source, image)));
    return { questions: read.length, images, leftOut: countBy(reasons, (reason) => reason) };
  },

  ask({ question, choices, metric, instruction }) {
    if (choices !== undefined) return rankedQuestion(question, choices);
    const words = listedQuestion(withInstruction(question, instruction));
    const generate = { question: words, maximumNewTokens: metricOf(metric).maximumNewTokens };
    return { question: words, answerStart: '', answers: [], generate };
  },

  content: ({ question, choices = [], answers }) => ({ question, choices, answers }),

  toJudge({ question, text = '' }) {
    const { id, image_id: imageId, question_type: questionType = 'unclassified', metric, choices } = question;
    if (choices !== undefined || metricOf(metric).needsJudge !== true) return undefined;
    return { id, imageId, questionType, question: question.question, references: question.answers ?? [], answer: text };
  },

  // Both kinds together only where a file has both: the parts are then measures of their own.
  score(answered): Measures {
    const withChoices = answered.filter(({ question }) => question.choices !== undefined).map(scoreOfChoice);
    const written = answered.filter(isWritten).map(scoresOfText);
    const parts: Measures = {
      ...(withChoices.length > 0 && { multipleChoice: withChoices }),
      ...groupByMeasure(written),
    };
    if (withChoices.length === 0 || written.length === 0) return parts;
    const accuracy = [...withChoices, ...written.map(([main]) => main.score)];
    return withAccuracyOfAll(accuracy, parts);
  },

  records: (answered) => answered.filter((one) => one.question.choices !== undefined || isWritten(one)).map(recordOf),
};

type Source = Omit<BenchmarkSource, 'extractedImages'>;

/** The questions that can be scored, and the reason of each that is left out. */
async function readScorable(source: Source): Promise<{ questions: OwnQuestion[]; reasons: string[] }> {
  const { file, limit, questions: settings = {} } = source;
  const { metric = 'exact-match', format, columns, skipInvalid = false } = settings;
  const reasons: string[] = [];
  const onLeftOut = (reason: string) => reasons.push(reason);
  const read = await readOwnQuestions({ file, limit, format, columns, skipInvalid, onLeftOut });
  const scorable = read.filter(({ id, answers }) => {
    const problem = answers && referencesProblem(metricOf(metric), answers);
    if (problem === undefined) return true;
    if (!skipInvalid) throw notScorable(file, metric, `question ${id} ${problem}`);
    onLeftOut(`answers: ${problem}`);
    return false;
  });
  if (scorable.length === 0) throw notScorable(file, metric, 'no question can be scored');
  return { questions: scorable, reasons };
}

async function fileOf(source: Source, { path }: { path: string }): Promise<string> {
  const folder = requireImageFolder(source);
  return source.imageFile === undefined ? joinInside(folder, path, source.file) : source.imageFile(path);
}

function notScorable(file: string, metric: MetricName, problem: string): InputError {
  return new InputError({
    file,
    field: 'answers',
    problem,
    remedy: `Correct it, or score by a metric other than ${metric}`,
  });
}

function scoreOfChoice({ question, choice }: AnsweredQuestion<Question>): QuestionScore {
  const { choices = [], correct } = question;
  const right = isRight({ choices, model_choice_idx: choice, correct_choice_idx: correct });
  return { id: question.id, score: right ? 1 : 0, groups: groupsOf(question) };
}

/** A short answer that has a score: one that a judge gave none is left out. */
function isWritten({ question: { choices, metric }, judged }: AnsweredQuestion<Question>): boolean {
  return choices === undefined && (metricOf(metric).needsJudge !== true || judged !== undefined);
}

interface MeasuredScore {
  measure: string;
  score: QuestionScore;
}

/** All measures of the metric, the main one first. */
function scoresOfText({
  question,
  text = '',
  judged,
  given,
}: AnsweredQuestion<Question>): [MeasuredScore, ...MeasuredScore[]] {
  const { id, answers = [], metric, metricSettings } = question;
  const scores = Object.entries(metricOf(metric).score(text.trim(), answers, { ...metricSettings, judged }));
  const [main = { measure: 'score', score: { id, score: 0 } }, ...others] = scores.map(([measure, score]) => ({
    measure,
    score: { id, score, groups: groupsOf(question) },
  }));
  // The other measures are of what was written, which another program has read in its own way.
  return given === undefined ? [main, ...others] : [{ ...main, score: { ...main.score, score: given } }];
}

function groupsOf({ question_type }: Question): Record<string, string> | undefined {
  return question_type === undefined ? undefined : { 'question type': question_type };
}

function recordOf(answered: AnsweredQuestion<Question>): EvaluatedQuestion {
  const { question, choice, losses } = answered;
  const { id, image, image_id, choices = [], correct, answers, question_type = 'unclassified' } = question;
  const common = {
    question_id: id,
    idx: id,
    image_id,
    image_path: join(basename(dirname(image)), basename(image)),
    question: question.question,
    choices,
    difficult_direct_answer: false,
    losses,
    question_type,
  };
  if (correct === undefined) {
    const open = { ...common, direct_answers: answers ?? [], model_answer: (answered.text ?? '').trim() };
    return { ...open, prompt: badCasePrompt(open), score: scoresOfText(answered)[0].score.score };
  }
  return {
    ...common,
    correct_choice_idx: correct,
    direct_answers: [choices[correct] as string],
    model_answer: choice === undefined ? '' : (choices[choice] as string),
    model_choice_idx: choice,
    prompt: badCasePrompt({ ...common, correct_choice_idx: correct }),
  };
}

/** All questions of a file have the same metric. */
function groupByMeasure(scored: readonly (readonly MeasuredScore[])[]): Measures {
  const measures: Measures = {};
  for (const { measure, score } of scored.flat()) {
    measures[measure] ??= [];
    measures[measure].push(score);
  }
  return measures;
}
