/**
 * A-OKVQA (https://github.com/allenai/aokvqa), ranked as the reference system does: the mean loss of `(A) choice` after
 * `The answer is` for every choice, the lowest wins. Unlike there, no question is dropped.
 */
import { basename, dirname, join } from 'node:path';
import { writeJson } from '../../core/write-file.ts';
import {
  type AskedAokvqaQuestion,
  aokvqaDownloads,
  hasAnswers,
  readAokvqa,
  readAskedAokvqa,
} from '../../datasets/aokvqa.ts';
import { imageFolder } from '../../datasets/image-folder.ts';
import { listedQuestion, rankedQuestion } from '../../datasets/question-text.ts';
import type { AokvqaPredictions } from '../aokvqa-predictions.ts';
import { badCasePrompt, type EvaluatedQuestion, isRight } from '../bad-cases.ts';
import { type AnsweredQuestion, type Benchmark, type Measures, requireImageFolder } from './benchmark.ts';

const aokvqaResultsFile = 'aokvqa_eval.json';
const aokvqaPredictionsFile = 'aokvqa_predictions.json';

/** So many people who gave an answer make it right. */
const enoughPeople = 3;

/** Enough for `The answer is` and the few words of a direct answer. */
const MAXIMUM_NEW_TOKENS = 24;

type Question = AskedAokvqaQuestion & { id: string; image: string };

export const aokvqa: Benchmark<Question> = {
  title: 'A-OKVQA',
  // Choices are ranked in both modes; in `generated`, direct answers are written too.
  answerModes: ['ranked', 'generated'],
  downloads: aokvqaDownloads,

  async read(source) {
    const { file, limit, answersRequired } = source;
    const { imageFile = imageFolder(requireImageFolder(source)).fileOf } = source;
    const questions: AskedAokvqaQuestion[] = await (answersRequired ? readAokvqa : readAskedAokvqa)(file);
    return Promise.all(
      questions.slice(0, limit).map(async (question) => ({
        ...question,
        id: question.question_id,
        image: await imageFile(question.image_id),
      })),
    );
  },

  ask: ({ question, choices }, mode) => ({
    ...rankedQuestion(question, choices),
    ...(mode === 'generated' && {
      generate: { question: listedQuestion(question), maximumNewTokens: MAXIMUM_NEW_TOKENS },
    }),
  }),

  content: ({ question, choices, image_id: imageId }) => ({ question, choices, imageId }),

  // The test split has no answers: there is nothing to score, only predictions to hand in.
  score(answered): Measures {
    const scored = answered.filter(isScored);
    if (scored.length === 0) return {};
    const groupsOf = ({ question_type }: Question) =>
      question_type === undefined ? undefined : { 'question type': question_type };
    return {
      multipleChoice: scored.map(({ question, choice }) => ({
        id: question.id,
        score: choice !== undefined && isRight({ ...question, model_choice_idx: choice }) ? 1 : 0,
        groups: groupsOf(question),
      })),
      directAnswer: scored
        .filter(({ question }) => !question.difficult_direct_answer && question.direct_answers.length > 0)
        .map((one) => ({
          id: one.question.id,
          score: directAnswerScore(directAnswerOf(one), one.question.direct_answers),
          groups: groupsOf(one.question),
        })),
    };
  },

  async write(answered, folder) {
    await writeJson(join(folder, aokvqaPredictionsFile), predictionsOf(answered));
    if (!answered.every(isScored)) return [aokvqaPredictionsFile];
    await writeJson(join(folder, aokvqaResultsFile), answered.map(recordOf));
    return [aokvqaResultsFile, aokvqaPredictionsFile];
  },
};

type Scored = AnsweredQuestion<Question & { correct_choice_idx: number; direct_answers: string[] }>;

function isScored(answered: AnsweredQuestion<Question>): answered is Scored {
  return hasAnswers(answered.question);
}

function predictionsOf(answered: readonly AnsweredQuestion<Question>[]): AokvqaPredictions {
  return Object.fromEntries(
    answered.map((one) => {
      const { id, choices } = one.question;
      const { choice } = one;
      const named = choice === undefined ? '' : (choices[choice] as string);
      return [id, { multiple_choice: named, direct_answer: directAnswerOf(one) }];
    }),
  );
}

/** The written answer where there is one, else the words of the choice. */
function directAnswerOf({ question, choice, text }: AnsweredQuestion<Question>): string {
  if (text !== undefined) return shortAnswer(text);
  return choice === undefined ? '' : (question.choices[choice] as string);
}

/**
 * The answer in lower case, as people gave theirs: its first sentence, without `The answer is` and a letter, with which
 * the model learned to begin.
 */
function shortAnswer(text: string): string {
  const [sentence = ''] = text.trim().split(/[.!?](?:\s|$)|\n/);
  return sentence
    .toLowerCase()
    .replace(/^the answer is:?\s*/, '')
    .replace(/^\([a-g]\)\s*/, '')
    .trim();
}

/** Two names of the id: the reference system's scorer reads `idx`. */
function recordOf(answered: Scored): EvaluatedQuestion {
  const { question, losses, choice } = answered;
  const { question_id, image, image_id, choices, question_type = 'unclassified' } = question;
  return {
    question_id,
    idx: question_id,
    image_id,
    image_path: join(basename(dirname(image)), basename(image)),
    question: question.question,
    choices,
    correct_choice_idx: question.correct_choice_idx,
    direct_answers: question.direct_answers,
    difficult_direct_answer: question.difficult_direct_answer,
    model_answer: choice === undefined ? '' : (choices[choice] as string),
    model_choice_idx: choice,
    losses,
    question_type,
    prompt: badCasePrompt({ ...question, question_type }),
  };
}

/**
 * VQA accuracy of one answer, 0 to 1: 1 when at least three of the ten people gave it, a third less for each person
 * below three. Of fewer than three answers, all have to be it. Case and surrounding spaces don't count.
 *
 * Follows the evaluation of A-OKVQA (https://github.com/allenai/aokvqa).
 */
export function directAnswerScore(answer: string, directAnswers: readonly string[]): number {
  const given = normalizeAnswer(answer);
  const matches = directAnswers.filter((directAnswer) => normalizeAnswer(directAnswer) === given).length;
  return Math.min(1, matches / Math.min(enoughPeople, directAnswers.length));
}

function normalizeAnswer(answer: string): string {
  return answer.trim().toLowerCase();
}
