/**
 * Written answers that a teacher judges against the right ones, by a rubric: the requests, and what is read from its replies.
 * The teacher sees the words alone, no image.
 */
import { z } from 'zod';
import { hashValue } from '../../core/hash.ts';
import { type ImageId, imageIdSchema } from '../../core/images/image-id.ts';
import { seededRandom } from '../../core/seeded-random.ts';
import { withoutFence, withoutReasoning } from '../../teacher/answer-text.ts';
import { type ChatMessage, fillTemplate, type PromptTemplate } from '../../teacher/prompt-template.ts';
import { structuredFormat } from '../../teacher/teacher.ts';
import type { LabelledAnswer } from './labelled-answers.ts';

/** What a rubric has a place for: `answers` is the right ones and the one to grade, under headings of their own. */
export const judgePlaceholders = ['question', 'answers'] as const;

/** A written answer to a question of a file. */
export interface AnswerToJudge {
  /** Of the question, unique in its file. */
  id: string;
  imageId: ImageId;
  questionType: string;
  question: string;
  references: readonly string[];
  answer: string;
}

/** The schema of a line of a judging's `requests.jsonl`. */
export const judgeRequest = z.object({
  id: z.string(),
  image_id: imageIdSchema,
  question_type: z.string(),
  prompt_version: z.string(),
  seed: z.int(),
  /** Hash of the prompt. */
  rubric: z.string(),
  question: z.string(),
  references: z.array(z.string()),
  answer: z.string(),
  /** The answer stands before the right ones, where it else stands behind them. */
  answer_first: z.boolean(),
});

/** One answer to judge. `id` is a hash of all that the score depends on, so that the same answer is judged once. */
export type JudgeRequest = z.output<typeof judgeRequest>;

/** What is to be judged of one set of questions. Requests are named by their ids. */
export interface JudgePlan {
  set: string;
  /** Version of the rubric. */
  rubric: string;
  requests: JudgeRequest[];
  /** The question's id, how long its answer is in characters, and its request; none where the model wrote nothing. */
  scored: { question: string; length: number; request?: string }[];
  /** The same answers once more: before the right ones, and with words around them that say nothing. */
  checked: { plain: string; swapped: string; padded: string }[];
  labelled: { request: string; isRight: boolean }[];
}

/**
 * Plans the requests about the answers to one set's questions.
 *
 * @param input.checks how many of the answers are judged in two orders and with padding; the same questions in every round
 * @param input.identity what a score depends on besides the words: the teacher and its settings
 * @param input.seed chooses the checked answers, and is sent to the teacher's API
 */
export function planJudging(input: {
  set: string;
  answers: readonly AnswerToJudge[];
  labelled: readonly LabelledAnswer[];
  checks: number;
  rubric: Pick<PromptTemplate, 'hash' | 'version'>;
  identity: unknown;
  seed: number;
}): JudgePlan {
  const { set, answers, labelled, checks, rubric, identity, seed } = input;
  const requests = new Map<string, JudgeRequest>();
  const ask = (
    { imageId, questionType, ...words }: Omit<AnswerToJudge, 'id'>,
    { answer = words.answer, answerFirst = false } = {},
  ): string => {
    const content = {
      rubric: rubric.hash,
      question: words.question,
      references: [...words.references],
      answer,
      answer_first: answerFirst,
    };
    const id = hashValue({ content, identity, seed });
    const common = { image_id: imageId, question_type: questionType, prompt_version: rubric.version, seed };
    requests.set(id, { id, ...common, ...content });
    return id;
  };
  const written = answers.map(({ id, ...answer }) => ({ id, ...answer, answer: answer.answer.trim() }));
  const toCheck = seededRandom(seed)
    .fork(`judge checks ${set}`)
    .shuffle(written)
    .filter(({ answer }) => answer !== '')
    .slice(0, checks);
  return {
    set,
    rubric: rubric.version,
    scored: written.map(({ id: question, ...one }) => ({
      question,
      length: [...one.answer].length,
      ...(one.answer !== '' && { request: ask(one) }),
    })),
    checked: toCheck.map((one) => ({
      plain: ask(one),
      swapped: ask(one, { answerFirst: true }),
      padded: ask(one, { answer: padded(one.answer) }),
    })),
    labelled: labelled.map(({ isRight, ...words }, index) => ({
      request: ask({ ...words, imageId: `labelled ${index + 1}`, questionType: 'labelled' }),
      isRight,
    })),
    requests: [...requests.values()],
  };
}

/** The answer with words around it that add length and nothing else. */
export function padded(answer: string): string {
  const before =
    'After looking at the whole image with care, and thinking about what the question asks for, I would say:';
  const after = 'This is my answer, which I give after a careful look at everything that there is to see in the image.';
  return `${before} ${/[.!?]$/.test(answer) ? answer : `${answer}.`} ${after}`;
}

/** Makes the messages of a request. */
export function judgeMessages(request: JudgeRequest, template: PromptTemplate): ChatMessage[] {
  const right = ['## Right answers', '', ...request.references.map((reference) => `- ${onOneLine(reference)}`)];
  const given = ['## Answer to grade', '', onOneLine(request.answer)];
  const [first, second] = request.answer_first ? [given, right] : [right, given];
  return fillTemplate(template, {
    question: onOneLine(request.question),
    answers: [...first, '', ...second].join('\n'),
  });
}

/** So that it is a line of the prompt, and no part of its structure. */
function onOneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
}

const highestScore = 4;

const structuredScore = z.object({
  reason: z.string().describe('One sentence.'),
  score: z.enum(['0', '1', '2', '3', '4']),
});
/** For teachers that answer with structured output. */
export const judgeFormat = structuredFormat(structuredScore, 'score');

/** The same, as models write it that are not held to the schema. */
const scoreToRead = z.object({ score: z.union([z.string(), z.number()]).transform(String) });

/**
 * Reads the score of a reply, 0 to 1: the number that stands alone in its last line, `Score: 3`, or that of its JSON. A reply
 * with two such lines, with words behind the score, or with a number beyond the scale has none.
 */
export function readJudgedScore(raw: string): number | undefined {
  const text = withoutFence(withoutReasoning(raw)).trim();
  const score = text.startsWith('{') ? structured(text) : lastLine(text);
  return score !== undefined && /^[0-4]$/.test(score) ? Number(score) / highestScore : undefined;
}

function structured(text: string): string | undefined {
  try {
    return scoreToRead.safeParse(JSON.parse(text)).data?.score;
  } catch {
    return undefined;
  }
}

function lastLine(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.replaceAll('*', '').trim());
  if (lines.filter((line) => /^score\s*:/i.test(line)).length !== 1) return undefined;
  return /^score\s*:\s*(\d+)$/i.exec(lines.at(-1) ?? '')?.[1];
}
