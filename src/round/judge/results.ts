import { join } from 'node:path';
import { z } from 'zod';
import { readJson, readJsonLines } from '../../core/read-json.ts';
import { valueIn } from '../../core/records.ts';
import { type JudgedSet, judgeFiguresSchema } from '../../evaluation/judge/judge-figures.ts';
import type { StepOutcome } from '../step-context.ts';

export interface JudgeOutcome extends StepOutcome {
  /** Written answers that have a score, and those without a readable reply. */
  judged: number;
  unjudged: number;
  promptTokens: number;
  completionTokens: number;
}

/** The score of each question, one a line. */
export const judgedFile = 'judged.jsonl';
/** How far the scores of each set can be trusted. */
export const figuresFile = 'figures.json';

export const judgedSchema = z.object({ set: z.string(), question_id: z.string(), score: z.number().min(0).max(1) });
const figuresSchema = z.record(z.string(), judgeFiguresSchema);

/** Reads what the step has found about each of its sets, from its folder. */
export async function readJudged(directory: string): Promise<(set: string) => JudgedSet | undefined> {
  const lines = await readJsonLines(join(directory, judgedFile), judgedSchema);
  const figures = await readJson(join(directory, figuresFile), figuresSchema);
  return (name) => {
    const ofSet = valueIn(figures, name);
    if (ofSet === undefined) return undefined;
    const own = lines.filter(({ set }) => set === name);
    return { scores: new Map(own.map(({ question_id, score }) => [question_id, score])), figures: ofSet };
  };
}
