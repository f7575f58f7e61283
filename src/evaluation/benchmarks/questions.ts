/**
 * Questions of your own (`src/datasets/own-questions.ts`). Choices are ranked as A-OKVQA's are; a short answer is written by
 * the model and scored by the metric that the config names.
 */

import { keepImage } from '../../core/images/keep-image.ts';
import { InputError } from '../../core/input-error.ts';
import { joinInside } from '../../core/inside.ts';
import { type OwnQuestion, readOwnQuestions } from '../../datasets/own-questions.ts';
import { ANSWER_START, answerStem, listedQuestion } from '../../datasets/question-text.ts';
import { isRight } from '../bad-cases.ts';
import { type MetricName, type MetricSettings, metricOf } from '../metrics/index.ts';
import {
  type AnsweredQuestion,
  type Benchmark,
  type BenchmarkSource,
  type Measures,
  type QuestionScore,
  requireImageFolder,
} from './benchmark.ts';

type Question = Omit<OwnQuestion, 'image'> & {
  /** Absolute path. */
  image: string;
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
    const { file, extractedImages, questions: settings = {}, ...rest } = source;
    const { metric = 'exact-match', tolerance, instruction, ...format } = settings;
    const read = await readOwnQuestions({ file, limit: rest.limit, ...format });
    return Promise.all(
      read.map(async ({ image, ...question }) => {
        requireScorable(source, metric, question);
        return {
          ...question,
          metric,
          metricSettings: { tolerance },
          instruction,
          image:
            'content' in image
              ? await keepImage(image.content, extractedImages)
              : joinInside(requireImageFolder(source), image.path, file),
        };
      }),
    );
  },

  ask({ question, choices, metric, instruction }) {
    if (choices !== undefined) {
      return {
        question: listedQuestion(question, choices),
        answerStart: ANSWER_START,
        answers: choices.map((_, index) => answerStem(choices, index)),
      };
    }
    const words = listedQuestion(instruction === undefined ? question : `${question}\n${instruction}`);
    const generate = { question: words, maximumNewTokens: metricOf(metric).maximumNewTokens };
    return { question: words, answerStart: '', answers: [], generate };
  },

  content: ({ question, choices = [] }) => ({ question, choices }),

  // Both kinds together only where a file has both: the parts are then measures of their own.
  score(answered): Measures {
    const withChoices = answered.filter(({ question }) => question.choices !== undefined).map(scoreOfChoice);
    const written = answered.filter(({ question }) => question.choices === undefined).map(scoreOfText);
    const parts: Measures = {
      ...(withChoices.length > 0 && { multipleChoice: withChoices }),
      ...groupByMeasure(written),
    };
    if (withChoices.length === 0 || written.length === 0) return parts;
    return { accuracy: [...withChoices, ...written.map(({ score }) => score)], ...parts };
  },
};

/** @throws InputError for references that the metric can not score by */
function requireScorable(
  { file }: BenchmarkSource,
  metric: MetricName,
  { id, answers }: Pick<OwnQuestion, 'id' | 'answers'>,
) {
  const problem = answers && metricOf(metric).problem?.(answers);
  if (problem === undefined) return;
  throw new InputError({
    file,
    field: 'answers',
    problem: `question ${id} ${problem}`,
    remedy: `Correct it, or score by a metric other than ${metric}`,
  });
}

function scoreOfChoice({ question, choice }: AnsweredQuestion<Question>): QuestionScore {
  const { choices = [], correct = 0 } = question;
  const isAnswered = choice !== undefined;
  const right = isAnswered && isRight({ choices, model_choice_idx: choice, correct_choice_idx: correct });
  return { id: question.id, score: right ? 1 : 0, groups: groupsOf(question) };
}

function scoreOfText({ question, text = '' }: AnsweredQuestion<Question>): { measure: string; score: QuestionScore } {
  const { id, answers = [], metric, metricSettings } = question;
  const [[measure, score] = ['score', 0]] = Object.entries(
    metricOf(metric).score(text.trim(), answers, metricSettings),
  );
  return { measure, score: { id, score, groups: groupsOf(question) } };
}

function groupsOf({ type }: Question): Record<string, string> | undefined {
  return type === undefined ? undefined : { 'question type': type };
}

/** All questions of a file have the same metric. */
function groupByMeasure(scored: readonly { measure: string; score: QuestionScore }[]): Measures {
  const [first] = scored;
  return first === undefined ? {} : { [first.measure]: scored.map(({ score }) => score) };
}
