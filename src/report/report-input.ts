import { isRight } from '../evaluation/bad-cases.ts';
import { directAnswersDiffer } from '../evaluation/direct-answers.ts';
import type { RoundComparison } from '../evaluation/round-comparison.ts';

/**
 * The content of a report. The report itself reads no run directory and no config. All accuracies and rates are fractions
 * in [0, 1].
 */
export interface ReportInput {
  /** The run's name. */
  run: string;
  /** The settings worth showing, as label and value, in order. */
  configSummary: { label: string; value: string }[];
  /** From round 0 (the base finetune, no generated data) on. */
  rounds: ReportRound[];
  /** Number of the last round that the config asks for. */
  plannedRounds?: number;
  /** The round that ended the run, as it had nothing new to train on. */
  ended?: EndedRound | undefined;
  /** Of the paired tests. */
  level?: number;
  /** Round 0 against the last round that is built upon, question by question; absent while there is only round 0. */
  change?: { from: number; to: number; comparison: RoundComparison } | undefined;
  /** Validation questions that the model of any of the last rounds answered wrongly, for the gallery. */
  badCases: ReportBadCase[];
  /** Samples that the teacher wrote and the filters kept in the last rounds, for the gallery. */
  generated: ReportGeneratedSample[];
  /** The teacher's answers that a filter rejected in the last rounds, for the gallery. */
  rejected: ReportRejectedAnswer[];
  /** What was made from what, from the base model and the teacher's answers to the scores. */
  lineage: ReportLineage;
}

export interface ReportCombined {
  set: string;
  title: string;
  /** Such as `f1`. */
  name: string;
  value: number;
  /** A share is 0 to 1; points are as the benchmark's authors print them. */
  unit: 'share' | 'points';
}

export interface ReportRound {
  round: number;
  /** What the main score of questions of your own is, such as `accuracy`: `mc` and `da` are then that score. */
  measure?: string | undefined;
  /** mc: multiple choice; da: direct answer; errorByType: wrong / asked for each question type. */
  validation: { mc: number; da: number; errorByType: Record<string, number> };
  /** On questions that the loop does not use. */
  test?: { mc: number; da: number };
  /** Every measure of every set that the round's model was scored on, the validation questions first. */
  benchmarks: ReportMeasure[];
  /** Figures of sets that are no mean of the questions' scores, such as F1. */
  combined?: ReportCombined[] | undefined;
  /** How far the teacher's scores of written answers can be trusted, for each set that has such; in words. */
  judged?: { set: string; facts: { label: string; text: string }[] }[] | undefined;
  /** The weight of each type that this round sampled by; empty for round 0. */
  weights: Record<string, number>;
  /** How many requests of each type this round drew; empty for round 0. */
  sampledByType: Record<string, number>;
  samplesAdded: number;
  /** Number of raw answers that each filter rejected. */
  rejectedByReason: Record<string, number>;
  /** Prompt and completion together. */
  teacherTokens: number;
  /** What the round's requests to the teacher have cost, failed ones too, where its price is known. */
  cost?: { amount: number; currency: string } | undefined;
  /** Whether the served model gives the same answers, where the config asks for it. */
  serving?: { questions: number; nearTies: number; largestLossDifference?: number | undefined } | undefined;
  /** Working time of each step, in the steps' order. */
  secondsByStep: Record<string, number>;
  /** Whether it is built upon; absent when no gate has decided on it. */
  gate?: {
    builtOn?: number;
    accepted: boolean;
    /** first, policy, test, person or default */
    by: string;
    reason: string;
    comment?: string;
    /** Question by question, against the round that it is built on. */
    comparison?: RoundComparison;
    /** Why the run ended with this round: the rule's name, and a sentence. */
    stop?: { rule: string; reason: string };
  };
  /** Question type → number of correct answers of the best earlier round, and how many of those are wrong now. */
  forgotten?: Record<string, { bestRound: number; right: number; lost: number }>;
  /** What was removed of its merged model to save space, in words. */
  pruned?: string | undefined;
  /** Of the finetune, in steps counted from 1. */
  lossCurve: { step: number; loss: number }[];
  /** On samples that are not trained on, where the config asks for it. */
  validationLosses?: { step: number; loss: number }[];
}

/** A round without a model: the teacher may have been asked, but left nothing to train on. */
export interface EndedRound
  extends Pick<ReportRound, 'round' | 'rejectedByReason' | 'teacherTokens' | 'cost' | 'secondsByStep'> {
  reason: string;
}

/** Whether direct answers have a column and a chart of their own. */
export function reportsDirectAnswers(rounds: readonly ReportRound[]): boolean {
  return directAnswersDiffer(
    rounds.map(({ validation, test }) => ({
      multipleChoice: validation.mc,
      directAnswer: validation.da,
      testMultipleChoice: test?.mc,
      testDirectAnswer: test?.da,
    })),
  );
}

export interface ReportMeasure {
  /** Name of the set. */
  set: string;
  /** `MMBench`, `MMBench, blind` */
  title: string;
  measure: string;
  /** Mean score and its 95 % confidence interval. */
  value: number;
  low: number;
  high: number;
  /** Number of scores in the mean. */
  count: number;
  /** Answers in which no choice was found. */
  unanswered: number;
  /** Grouping → group → its score. */
  groups: Record<string, Record<string, { value: number; low: number; high: number; count: number }>>;
}

export interface ReportBadCase {
  /** Path of the image file. */
  image: string;
  questionType: string;
  question: string;
  /** Empty for a question with a short answer. */
  choices: string[];
  /** Index into `choices`. */
  correct?: number | undefined;
  /** The choice of the last rounds' models, in the rounds' order, indices into `choices`; undefined where it has no answer. */
  chosen: (number | undefined)[];
  /** The same of a question with a short answer: its right answers, and what each round's model wrote. */
  short?: { right: string[]; written: ({ text: string; isRight: boolean } | undefined)[] } | undefined;
}

/** Whether each round's answer is right; undefined where it has none. */
export function rightByRound({ choices, correct, chosen, short }: ReportBadCase): (boolean | undefined)[] {
  if (short !== undefined) return short.written.map((answer) => answer?.isRight);
  return chosen.map((choice) => (choice === undefined ? undefined : isCorrectChoice({ choices, correct }, choice)));
}

/** Whether a choice has the words of the correct one, which some questions list twice. */
export function isCorrectChoice(
  { choices, correct }: Pick<ReportBadCase, 'choices' | 'correct'>,
  choice: number,
): boolean {
  return isRight({ choices, model_choice_idx: choice, correct_choice_idx: correct });
}

export interface ReportGeneratedSample {
  round: number;
  /** Path of the image file. */
  image: string;
  questionType: string;
  question: string;
  /** Empty for a question with a short answer. */
  choices: string[];
  correct?: number | undefined;
  /** The short answer. */
  answer?: string | undefined;
  rationale?: string;
}

export interface ReportRejectedAnswer {
  round: number;
  /** Path of the image file. */
  image: string;
  reason: string;
  /** The text that the reason refers to. */
  detail: string;
  /** What the teacher wrote. */
  raw: string;
}

export interface ReportLineage {
  nodes: {
    id: string;
    /** `adapter`, `samples`, … */
    kind: string;
    /** A few figures, and the beginning of its hash. */
    details: string[];
    /** Undefined for what all rounds share. */
    round?: number;
  }[];
  /** Ids of a node and of one that was made from it. */
  edges: { from: string; to: string }[];
}

/** `output` is the path of the HTML file to write. */
export interface WriteReportInput extends ReportInput {
  output: string;
}
