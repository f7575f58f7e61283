/**
 * MMBench (arXiv 2307.06281). Vanilla scores every question once; CircularEval counts a question only when it is
 * answered correctly in all rotations of its options. The model writes its answer, or the options are ranked as A-OKVQA's are.
 *
 * `circular` and `vanilla` are VLMEvalKit's figures under `exact_matching`; a written answer is also scored by a lenient
 * rule, under names of its own.
 */
import { join } from 'node:path';
import { ANSWER_START } from '../../datasets/question-text.ts';
import type { AnsweredQuestion, Benchmark, Measures, QuestionScore } from './benchmark.ts';
import { checkMmbench, groupIndex, readMmbench } from './mmbench-file.ts';
import { type MmbenchItem, writeMmbenchSubmission } from './mmbench-submission.ts';

const submissionFile = 'mmbench-submission.xlsx';

/** Enough for an option repeated in words; an explanation after it is not used. */
const MAXIMUM_NEW_TOKENS = 64;

/**
 * As OpenCompass asks MiniGPT-4 (commit f1ee11de, `multimodal/models/minigpt_4/prompt_constructor.py` and
 * `multimodal/datasets/mmbench.py`); of its `max_length` of 30, one is the token before the first.
 */
function askAsOpenCompass({ question, hint, options }: Pick<MmbenchItem, 'question' | 'hint' | 'options'>) {
  const listed = options.map(({ letter, text }) => `${letter}. ${text}\n`).join('');
  const words = `${hint === undefined ? '' : `${hint} `}${question} There are several options:\n${listed} `;
  const generate = { question: words, maximumNewTokens: 29, trimsTurn: true };
  return { question: words, answerStart: '', answers: [], generate };
}

type Answered = AnsweredQuestion<MmbenchItem>;

export const mmbench: Benchmark<MmbenchItem> = {
  title: 'MMBench',
  answerModes: ['generated', 'ranked'],
  officialFiles: { folder: 'MMBench', extension: '.tsv' },
  downloads: { MMBench: 'Download mmbench_dev_20230712.tsv as github.com/open-compass/MMBench says, into MMBench' },

  async read({ file, limit, extractedImages }) {
    const questions = await readMmbench(file, { limit, extractedImages });
    return questions.map((question) => ({ ...question, id: String(question.index) }));
  },

  check: async ({ file, limit }) => ({ questions: (await checkMmbench(file, limit)).length, images: [] }),

  prompts: ['training', 'opencompass'],

  ask({ question, hint, options }, mode, prompt) {
    if (mode === 'generated' && prompt === 'opencompass') return askAsOpenCompass({ question, hint, options });
    const choices = options.map(({ letter, text }) => `(${letter}) ${text}`);
    const words = hint === undefined ? question : `${hint}\n${question}`;
    const listed = `${words}\n${choices.join(' ')}\n`;
    if (mode === 'generated') {
      const generate = { question: listed, maximumNewTokens: MAXIMUM_NEW_TOKENS };
      return { question: listed, answerStart: '', answers: [], generate };
    }
    return {
      question: listed,
      answerStart: ANSWER_START,
      answers: choices.map((choice) => `${ANSWER_START} ${choice}`),
    };
  },

  content: ({ question, options }) => ({ question, choices: options.map(({ text }) => text) }),

  writtenChoices: ({ question, options }) => ({ question, choices: options }),

  // A test file has no answers: there is nothing to score, only a submission to write.
  score(answered): Measures {
    const scored = answered.filter(({ question }) => question.answer !== undefined);
    if (scored.length === 0) return {};
    const official = scoresOf(scored);
    if (scored.every(({ text }) => text === undefined)) return official;
    const { circular, vanilla } = scoresOf(scored.map((one) => ({ ...one, choice: one.lenientChoice })));
    return { ...official, ...(circular && { lenientCircular: circular }), lenientVanilla: vanilla };
  },

  async write(answered, folder) {
    await writeMmbenchSubmission(join(folder, submissionFile), answered);
    return [submissionFile];
  },
};

/** Without rotations there is no CircularEval. */
function scoresOf(answered: readonly Answered[]): { circular?: QuestionScore[]; vanilla: QuestionScore[] } {
  const originals = answered.filter(({ question }) => question.index === groupIndex(question));
  // VLMEvalKit reports the splits of a file apart.
  const bySplit = new Set(originals.map(({ question }) => question.split)).size > 1;
  const vanilla = originals.map((one) => scoreOf(one.question, isRight(one), bySplit));
  const rotations = new Map<number, Answered[]>();
  for (const one of answered) {
    const group = groupIndex(one.question);
    rotations.set(group, [...(rotations.get(group) ?? []), one]);
  }
  if (rotations.size === answered.length) return { vanilla };
  const circular = originals.map(({ question }) =>
    scoreOf(question, (rotations.get(question.index) ?? []).every(isRight), bySplit),
  );
  return { circular, vanilla };
}

function isRight({ question, choice }: Answered): boolean {
  return choice !== undefined && question.options[choice]?.letter === question.answer;
}

function scoreOf(question: MmbenchItem, right: boolean, bySplit: boolean): QuestionScore {
  const { category, l2Category, split } = question;
  const groups = {
    ...(bySplit && split && { split }),
    ...(l2Category && { 'l2-category': l2Category }),
    ...(category && { category }),
  };
  return { id: question.id, score: right ? 1 : 0, groups };
}
