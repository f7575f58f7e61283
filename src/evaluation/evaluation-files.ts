/**
 * The files of an evaluation: for people, for the report and for comparison with another model.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { hashValue } from '../core/hash.ts';
import { readJson, readJsonLines } from '../core/read-json.ts';
import { writeJson, writeJsonLines } from '../core/write-file.ts';
import type { AnsweredQuestion, Measures } from './benchmarks/benchmark.ts';
import { rankings } from './endpoint/rankings.ts';
import { judgeFiguresSchema } from './judge/judge-figures.ts';

export const scoresFile = 'scores.json';
const questionScoresFile = 'question-scores.jsonl';
const predictionsFile = 'predictions.jsonl';

const estimateSchema = z.object({
  value: z.number(),
  low: z.number(),
  high: z.number(),
  count: z.number(),
  /** Where several questions are about one: how many images there are. The interval is by image then. */
  images: z.number().optional(),
});

const scoresSchema = z.object({
  schemaVersion: z.literal(1),
  /** Name of the set: `validation`, or the benchmark's in the config. */
  set: z.string(),
  benchmark: z.string(),
  title: z.string(),
  blind: z.boolean(),
  /** Hash of the weights that gave the answers; of a foreign endpoint, its fingerprint. */
  weights: z.string(),
  /** Who answered, where that was a server. */
  endpoint: z.object({ url: z.string(), model: z.string(), fingerprint: z.string() }).optional(),
  /** How a server's choices were found: ranked by log-probabilities of the prompt, or written. */
  ranking: z.enum(rankings).optional(),
  /** Of a round whose answers are results of another program: the file, and the score in it that was taken. */
  imported: z.object({ program: z.string(), results: z.string(), measure: z.string() }).optional(),
  /** Hash of the questions as they were put to the model. */
  asked: z.string(),
  questions: z.number(),
  /** Questions with an answer in which no choice was found; they count as wrong. */
  unanswered: z.number(),
  /** The same for the lenient measures; none where there are none. */
  lenientUnanswered: z.number().optional(),
  /** The main measure first. Scores are shares, 0 to 1, with 95 % confidence intervals; `count` is what they are of. */
  measures: z.record(
    z.string(),
    estimateSchema.extend({ groups: z.record(z.string(), z.record(z.string(), estimateSchema)) }),
  ),
  /** Of the metric `judge`: who judged, and how far it can be trusted. */
  judge: judgeFiguresSchema.optional(),
  /** Figures that are no mean of the questions' scores, such as F1: shares of 0 to 1, or points as the authors print them. */
  combined: z
    .record(
      z.string(),
      z.object({
        value: z.number(),
        unit: z.enum(['share', 'points']),
        groups: z.record(z.string(), z.record(z.string(), z.number())).optional(),
      }),
    )
    .optional(),
});

/** The content of `scores.json`. */
export type Scores = z.output<typeof scoresSchema>;

const questionScoreSchema = z.object({
  measure: z.string(),
  id: z.string(),
  score: z.number(),
  /** Number of the question's image, where several questions of the measure are about one. */
  image: z.number().optional(),
});

/** One line of `question-scores.jsonl`. */
export type QuestionScoreLine = z.output<typeof questionScoreSchema>;

/** Reads `scores.json` of an evaluation's folder. @throws InputError when there is none, or it is damaged */
export function readScores(folder: string): Promise<Scores> {
  return readJson(join(folder, scoresFile), scoresSchema);
}

/** Reads `question-scores.jsonl`. @throws InputError when there is none, or it is damaged */
export function readQuestionScores(folder: string): Promise<QuestionScoreLine[]> {
  return readJsonLines(join(folder, questionScoresFile), questionScoreSchema);
}

/**
 * Writes scores, the score of every question, and the predictions.
 *
 * @returns the files' names
 */
export async function writeEvaluation(
  folder: string,
  scores: Scores,
  measures: Measures,
  answered: readonly AnsweredQuestion[],
): Promise<string[]> {
  const scored = Object.entries(measures).flatMap(([measure, list]) => list.map((score) => ({ measure, ...score })));
  const predictions = answered.map(({ question, choice, lenientChoice, losses, text, judged }) => ({
    question_id: question.id,
    choice,
    lenientChoice,
    losses,
    text,
    judged,
  }));
  await writeJsonLines(join(folder, predictionsFile), predictions);
  await writeJsonLines(join(folder, questionScoresFile), scored);
  await writeJson(join(folder, scoresFile), scores);
  return [predictionsFile, questionScoresFile, scoresFile];
}

/** One hash for the weights among a model directory's files, given the hash of each. */
export function hashOfWeights(files: Readonly<Record<string, string>>): string {
  return hashValue(Object.fromEntries(Object.entries(files).filter(([file]) => file.endsWith('.safetensors'))));
}

/** The name of a set that has none but its file's, as configs name sets; `otherwise` where nothing of it is left. */
export function setNameOf(name: string, otherwise: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
  return plain.replace(/^[^a-z0-9]+/, '') || otherwise;
}
