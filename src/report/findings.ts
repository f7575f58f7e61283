/**
 * What stands out in a run, in the sentences that a colleague would say. One table of the kinds; docs/report.md lists them.
 */

import { valueIn } from '../core/records.ts';
import { describeP, fewestQuestions } from '../evaluation/describe-change.ts';
import type { PairComparison, RoundComparison } from '../evaluation/round-comparison.ts';
import { holmAdjusted, mcNemarWorse } from '../evaluation/statistics/paired-tests.ts';
import { lastGoodRound } from './decisions.ts';
import type { EndedRound, ReportRound } from './report-input.ts';
import { count, percent, sum } from './tables.ts';

export interface Finding {
  kind: FindingKind;
  sentence: string;
  /** The question type that it starts with, if it does. */
  about?: string | undefined;
}

interface FindingsInput {
  rounds: readonly ReportRound[];
  /** The round that ended the run, as it had nothing new to train on. */
  ended?: EndedRound | undefined;
  /** Round 0 against the last good round. */
  comparison?: RoundComparison | undefined;
  /** Of the paired tests. */
  level: number;
}

/** A question type over the whole run: shares of wrong answers in round 0 and in the last good round. */
interface TypeFacts {
  type: string;
  before: number;
  now: number;
  /** Validation questions of the type; undefined where no comparison counts them. */
  questions?: number | undefined;
  pair?: PairComparison | undefined;
  /** That chance explains a gain, by Holm's correction for all types tested at once; 1 without a comparison. */
  pGain: number;
  /** Requests drawn for it in the rounds that are built upon, and their share of all of those. */
  drawn: number;
  share: number;
}

interface Facts {
  types: TypeFacts[];
  /** With fewer questions the gate can never call a type worse. */
  fewest: number;
  level: number;
  /** Whether there is a round to compare round 0 with. */
  isCompared: boolean;
  stop?: { round: number; rule: string; reason: string } | undefined;
  ended?: EndedRound | undefined;
}

/** At most so many types in a kind: the table of types has all. */
const mostOfAKind = 3;
/** Smaller changes of a type are no change, in points. */
const smallChange = 3;
/** A type is sampled often from so many times its even share on. */
const oftenSampled = 1.2;

export const findingKinds = {
  best: {
    title: 'best',
    when: 'the question type with the fewest wrong answers, of those with enough questions',
    example: 'color is best: 10.0 % of 40 questions wrong, 20.0 % in round 0',
    find: ({ types, fewest, isCompared }) => {
      const best = lowest(enough(types, fewest), ({ now }) => now);
      return best === undefined ? [] : [`${best.type} is best: ${wrongNow(best, isCompared)}`];
    },
  },
  worst: {
    title: 'worst',
    when: 'the question type with the most wrong answers, of those with enough questions',
    example: 'place is worst: 70.0 % of 40 questions wrong, 60.0 % in round 0',
    find: ({ types, fewest, isCompared }) => {
      const known = enough(types, fewest);
      const worst = lowest(known, ({ now }) => -now);
      const best = lowest(known, ({ now }) => now);
      return worst === undefined || worst.now === best?.now
        ? []
        : [`${worst.type} is worst: ${wrongNow(worst, isCompared)}`];
    },
  },
  gained: {
    title: 'gained most',
    when: 'the question type whose error fell most, where chance does not explain it',
    example: 'count gained most: 60.0 % → 30.0 % wrong (p < 0.001, 40 questions), sampled 60 times',
    find: ({ types, fewest, level }) => {
      const gained = enough(types, fewest).filter(
        ({ pair, pGain }) => pair !== undefined && pair.won > pair.lost && pGain <= level,
      );
      const most = lowest(gained, ({ before, now }) => now - before);
      if (most === undefined) return [];
      const often = most.drawn > 0 ? `, sampled ${times(most.drawn)}` : ', though never sampled';
      return [
        `${most.type} gained most: ${fromTo(most)} wrong (${describeP(pOfGain(most.pair))}, ${asked(most)})${often}`,
      ];
    },
  },
  worse: {
    title: 'got worse',
    when: 'question types whose error rose by 3 points or more, and whether chance explains it',
    example: 'place got worse although sampled most: 60.0 % → 70.0 % wrong (p 0.063, 40 questions; perhaps chance)',
    find: ({ types, fewest, level }) => {
      const fell = enough(types, fewest).filter((one) => one.pair !== undefined && pointsWorse(one) >= smallChange);
      fell.sort((left, right) => pOf(left) - pOf(right) || right.now - right.before - (left.now - left.before));
      return fell.slice(0, mostOfAKind).map((one) => {
        const chance = (one.pair?.pValue ?? 1) > level ? '; perhaps chance' : '';
        return `${one.type} got worse${although(one, types)}: ${fromTo(one)} wrong (${describeP(pOf(one))}, ${asked(one)}${chance})`;
      });
    },
  },
  unmoved: {
    title: 'sampled and not moved',
    when: 'question types sampled more often than others whose error changed by less than 3 points',
    example: 'shape was sampled 90 times (34 % of all requests) and has not moved: 50.0 % → 50.0 % wrong',
    find: ({ types, fewest }) => {
      const often = enough(types, fewest).filter(
        (one) =>
          one.share >= oftenSampled / types.length &&
          one.pair !== undefined &&
          Math.abs(pointsWorse(one)) < smallChange,
      );
      often.sort((left, right) => right.drawn - left.drawn);
      return often
        .slice(0, mostOfAKind)
        .map(
          (one) =>
            `${one.type} was sampled ${times(one.drawn)} (${(100 * one.share).toFixed(0)} % of all requests) and has not moved: ${fromTo(one)} wrong`,
        );
    },
  },
  few: {
    title: 'too few questions to say',
    when: 'question types with so few validation questions that the gate could not call them worse if all were lost',
    example: 'glare and haze: too few questions to say (2 and 3; it takes 7)',
    find: ({ types, fewest }) => {
      const few = types.filter(({ questions }) => questions !== undefined && questions < fewest);
      if (few.length === 0 || !Number.isFinite(fewest)) return [];
      const counts = inWords(few.map(({ questions }) => String(questions)));
      return [`${inWords(few.map(({ type }) => type))}: too few questions to say (${counts}; it takes ${fewest})`];
    },
  },
  budget: {
    title: 'budget ended it',
    when: 'the run ended because `stop.budget` was spent',
    example: 'The budget ended the run after round 2: 200.10 of 200.00 USD are spent',
    find: ({ stop }) =>
      stop?.rule === 'budget' ? [`The budget ended the run after round ${stop.round}: ${stop.reason}`] : [],
  },
  ended: {
    title: 'ended early',
    when: 'another rule ended the run: a target, a plateau, a round with nothing new to train on',
    example: 'The run ended after round 2: 80.1 % on the validation questions reach the target of 80 %',
    find: ({ stop, ended }) => {
      if (ended !== undefined) return [`The run ended in round ${ended.round}: ${ended.reason}`];
      return stop === undefined || stop.rule === 'budget' || stop.rule === 'rounds'
        ? []
        : [`The run ended after round ${stop.round}: ${stop.reason}`];
    },
  },
} as const satisfies Record<string, Kind>;

export type FindingKind = keyof typeof findingKinds;

/** A kind of sentence. */
interface Kind {
  title: string;
  /** When it is said, for the docs. */
  when: string;
  example: string;
  find: (facts: Facts) => string[];
}

/** All sentences about a run, in the order of the kinds. */
export function findings(input: FindingsInput): Finding[] {
  const facts = factsOf(input);
  return Object.entries<Kind>(findingKinds).flatMap(([kind, { find }]) =>
    find(facts).map((sentence) => ({
      kind: kind as FindingKind,
      sentence,
      about: kind === 'few' ? undefined : typeAtStart(sentence, facts),
    })),
  );
}

function factsOf({ rounds, ended, comparison, level }: FindingsInput): Facts {
  const first = rounds[0]?.validation.errorByType ?? {};
  const good = lastGoodRound(rounds);
  const last = good?.validation.errorByType ?? {};
  // What was drawn for a round that was set aside is not in the model.
  const builtUpon = rounds.filter(({ round, gate }) => gate?.accepted !== false && round <= (good?.round ?? 0));
  const requests = (type: string) => sum(builtUpon.map(({ sampledByType }) => valueIn(sampledByType, type) ?? 0));
  const all = sum(builtUpon.flatMap(({ sampledByType }) => Object.values(sampledByType)));
  const names = Object.keys(last);
  const pGains = holmAdjusted(names.map((type) => pOfGain(valueIn(comparison?.byType, type))));
  const types = Object.entries(last).map(([type, now], place): TypeFacts => {
    const pair = valueIn(comparison?.byType, type);
    const drawn = requests(type);
    return {
      type,
      now,
      before: valueIn(first, type) ?? now,
      pair,
      pGain: pGains[place] ?? 1,
      questions: pair?.questions ?? questionsOf(rounds.at(-1), type),
      drawn,
      share: all === 0 ? 0 : drawn / all,
    };
  });
  const end = rounds.at(-1);
  const stop = end?.gate?.stop;
  return {
    types,
    fewest: fewestQuestions(level, types.length),
    level,
    isCompared: comparison !== undefined,
    stop: end && stop && { round: end.round, ...stop },
    ended,
  };
}

/** Validation questions of a type, as the scores by type count them. */
export function questionsOf(round: ReportRound | undefined, type: string): number | undefined {
  const validation = round?.benchmarks.find(({ set }) => set === 'validation');
  return valueIn(validation?.groups['question type'], type)?.count;
}

function enough(types: readonly TypeFacts[], fewest: number): TypeFacts[] {
  return types.filter(({ questions = fewest }) => questions >= fewest);
}

function wrongNow(one: TypeFacts, isCompared: boolean): string {
  const of = one.questions === undefined ? 'wrong' : `of ${asked(one)} wrong`;
  const before = percent(one.before) === percent(one.now) ? 'as in round 0' : `${percent(one.before)} in round 0`;
  return `${percent(one.now)} ${of}${isCompared ? `, ${before}` : ''}`;
}

function although({ type, drawn, share }: TypeFacts, types: readonly TypeFacts[]): string {
  if (types.every((other) => other.drawn === 0)) return '';
  if (drawn === 0) return ', and was never sampled';
  if (types.every((other) => other.type === type || other.drawn < drawn)) return ' although sampled most';
  return share >= oftenSampled / types.length ? ' although sampled often' : '';
}

/** How many points more of its questions are wrong: by counts, as differences of shares would miss a limit by their last bit. */
function pointsWorse({ pair, before, now }: TypeFacts): number {
  return pair === undefined ? 100 * (now - before) : (100 * (pair.lost - pair.won)) / pair.questions;
}

/** The longest one, where a name is the beginning of another. */
function typeAtStart(sentence: string, { types }: Facts): string | undefined {
  const found = types.map(({ type }) => type).filter((type) => sentence.startsWith(`${type} `));
  return found.sort((left, right) => right.length - left.length)[0];
}

function pOfGain(pair: PairComparison | undefined): number {
  return pair === undefined ? 1 : mcNemarWorse(pair.won, pair.lost);
}

/** Of this type alone, as of a gain. */
function pOf({ pair }: TypeFacts): number {
  return pair === undefined ? 1 : mcNemarWorse(pair.lost, pair.won);
}

function asked({ questions = 0 }: TypeFacts): string {
  return `${count(questions)} questions`;
}

function fromTo({ before, now }: TypeFacts): string {
  return `${percent(before)} → ${percent(now)}`;
}

function times(number: number): string {
  return number === 1 ? 'once' : `${count(number)} times`;
}

/** `a`, `a and b`, `a, b and c` */
function inWords(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function lowest<T>(items: readonly T[], value: (item: T) => number): T | undefined {
  let best: T | undefined;
  for (const item of items) if (best === undefined || value(item) < value(best)) best = item;
  return best;
}
