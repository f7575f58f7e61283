/** Another program's verdicts against ours, question by question. */

import { z } from 'zod';

/** One question at the other program. */
export interface Peer {
  /** The row's number. */
  number: number;
  prompt?: string | undefined;
  answer: string;
  /** 0 to 1. */
  score: number;
}

export interface Own {
  id: string;
  answer: string;
  score: number;
}

const comparedSchema = z.object({
  questions: z.number(),
  /** Means of the questions' scores in percent. */
  ours: z.number(),
  theirs: z.number(),
  /** Percent of the questions that both score alike. */
  agreement: z.number(),
  /** Percent of the questions with the same answer, to the letter. */
  sameAnswers: z.number(),
  /** The questions that are scored otherwise: our answer and theirs, our score and theirs. */
  differing: z.array(
    z.object({
      id: z.string(),
      prompt: z.string().optional(),
      answers: z.array(z.string()),
      scores: z.array(z.number()),
    }),
  ),
});
export type Compared = z.output<typeof comparedSchema>;

/** What one benchmark came to. */
export const resultSchema = comparedSchema.extend({
  /** Hash of all that the result depends on. */
  key: z.string(),
  peer: z.string(),
  benchmark: z.string(),
  /** How the other program reads answers by another rule than ours, on purpose. */
  differs: z.string().optional(),
  /** The other program's own figures of all questions, and ours for them. */
  figures: z.record(z.string(), z.object({ ours: z.number(), theirs: z.number() })),
  /** The files that the other program wrote. */
  files: z.array(z.string()),
});
export type Result = z.output<typeof resultSchema>;

const EQUAL = 1e-6;

/** @throws Error where one of the two lacks a question */
export function compareVerdicts(theirs: readonly Peer[], ours: readonly Own[], ids: readonly string[]): Compared {
  const ownOf = new Map(ours.map((one) => [one.id, one]));
  if (theirs.length !== ids.length || ownOf.size !== ids.length) {
    throw new Error(`of ${ids.length} questions they scored ${theirs.length}, and we ${ownOf.size}`);
  }
  const pairs = theirs.map((peer) => {
    const id = ids[peer.number] ?? '';
    const own = ownOf.get(id);
    if (own === undefined) throw new Error(`we have no score of question ${id}`);
    return { id, peer, own };
  });
  const percent = (values: readonly number[]) => (100 * values.reduce((sum, one) => sum + one, 0)) / values.length;
  const isAlike = ({ peer, own }: (typeof pairs)[0]) => Math.abs(peer.score - own.score) < EQUAL;
  return {
    questions: pairs.length,
    ours: percent(pairs.map(({ own }) => own.score)),
    theirs: percent(pairs.map(({ peer }) => peer.score)),
    agreement: percent(pairs.map((pair) => Number(isAlike(pair)))),
    sameAnswers: percent(pairs.map(({ peer, own }) => Number(peer.answer === own.answer))),
    differing: pairs
      .filter((pair) => !isAlike(pair))
      .map(({ id, peer, own }) => {
        const answers: [string, string] = [own.answer, peer.answer];
        return { id, prompt: peer.prompt, answers, scores: [own.score, peer.score] };
      }),
  };
}

/** Ours beside those of the other program's figures that have the same name. */
export function pairFigures(
  ours: Readonly<Record<string, number>>,
  theirs: Readonly<Record<string, number>>,
): Result['figures'] {
  return Object.fromEntries(
    Object.entries(ours).map(([metric, value]) => {
      const other = theirs[metric];
      if (other === undefined) throw new Error(`the other program has no ${metric}: ${Object.keys(theirs).join(', ')}`);
      return [metric, { ours: value, theirs: other }];
    }),
  );
}
