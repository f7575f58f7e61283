/**
 * A report as a run of any length would have it: three question types, one of which gets better, one worse, and one that has
 * too few questions.
 */
import { compareRounds, type RoundComparison } from '../../src/evaluation/round-comparison.ts';
import type { ReportBadCase, ReportInput, ReportRound } from '../../src/report/report-input.ts';

export const typeNames = ['spatial_relationship', 'object_localization', 'attribute_<script>alert(1)</script>'];
const questions = [120, 60, 3];
const settings = { level: 0.05, tolerance: 0, typeTolerance: 0.05, typeTolerances: {} };

/** How many questions of each type are right in a round. */
function rightIn(round: number): number[] {
  return [Math.min(110, 40 + 8 * round), Math.max(10, 30 - 2 * round), 1];
}

function answersIn(round: number) {
  return typeNames.flatMap((type, place) =>
    Array.from({ length: questions[place] ?? 0 }, (_, index) => ({
      question_id: `${type}-${index}`,
      question_type: type,
      choices: ['a', 'b'],
      correct_choice_idx: 0,
      model_choice_idx: index < (rightIn(round)[place] ?? 0) ? 0 : 1,
    })),
  );
}

export function comparisonOf(from: number, to: number): RoundComparison {
  return compareRounds(answersIn(from), answersIn(to), settings);
}

export function sampleRound(number: number, last = number): ReportRound {
  const byType = (value: (place: number) => number) =>
    Object.fromEntries(typeNames.map((type, place) => [type, value(place)]));
  const right = rightIn(number);
  const score = right.reduce((sum, one) => sum + one, 0) / questions.reduce((sum, one) => sum + one, 0);
  const groups = byType(() => 0);
  const isFirst = number === 0;
  return {
    round: number,
    validation: {
      mc: score,
      da: score - 0.03,
      errorByType: byType((place) => 1 - (right[place] ?? 0) / (questions[place] ?? 1)),
    },
    test: { mc: score - 0.02, da: score - 0.05 },
    benchmarks: ['validation', 'test'].flatMap((set) =>
      ['multipleChoice', 'directAnswer'].map((measure) => ({
        set,
        title: 'A-OKVQA',
        measure,
        value: score,
        low: score - 0.03,
        high: score + 0.03,
        count: 183,
        unanswered: 0,
        groups: {
          'question type': Object.fromEntries(
            Object.keys(groups).map((type, place) => [
              type,
              { value: 0.5, low: 0.4, high: 0.6, count: questions[place] ?? 0 },
            ]),
          ),
        },
      })),
    ),
    weights: isFirst ? {} : byType((place) => [0.6, 0.9, 0.2][place] ?? 0),
    sampledByType: isFirst ? {} : byType((place) => [200, 400, 20][place] ?? 0),
    samplesAdded: number * 100,
    rejectedByReason: isFirst ? {} : { duplicate: 3 },
    teacherTokens: number * 1_000_000,
    cost: isFirst ? undefined : { amount: 3.25, currency: 'USD' },
    serving: { questions: 200, nearTies: 0, largestLossDifference: 0.0004 },
    gate: isFirst
      ? { accepted: true, by: 'first', reason: 'nothing to compare it with' }
      : {
          builtOn: number - 1,
          accepted: true,
          by: 'test',
          reason: '',
          comparison: comparisonOf(number - 1, number),
          ...(number === last && { stop: { rule: 'budget', reason: '200.10 of 200.00 USD are spent' } }),
        },
    forgotten: isFirst ? {} : byType(() => 0) && { spatial_relationship: { bestRound: 0, right: 40, lost: number } },
    secondsByStep: { finetune: 100, evaluate: 10 },
    lossCurve: Array.from({ length: 50 }, (_, step) => ({ step: step + 1, loss: 3 / (step + 1) })),
  };
}

/** @param image path of the image of every sample */
export function sampleReport(image: string, last = 2): ReportInput {
  const numbers = Array.from({ length: last + 1 }, (_, number) => number);
  const badCase = (index: number): ReportBadCase => ({
    image,
    questionType: typeNames[index % typeNames.length] as string,
    question: `Question ${index} about <b>bold</b>?`,
    choices: ['a', 'b', 'c', 'd'],
    correct: 1,
    chosen: [0, index % 2, index % 4 === 1 ? 1 : 2],
  });
  return {
    run: 'nightly',
    configSummary: [
      { label: 'LoRA', value: 'rank 32, alpha 64, on q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj' },
      { label: 'Base model', value: `/a/long/path/${'without-spaces'.repeat(8)}` },
    ],
    rounds: numbers.map((number) => sampleRound(number, last)),
    plannedRounds: last + 2,
    level: settings.level,
    change: last === 0 ? undefined : { from: 0, to: last, comparison: comparisonOf(0, last) },
    badCases: Array.from({ length: 24 }, (_, index) => badCase(index)),
    generated: Array.from({ length: 12 }, (_, index) => ({ ...badCase(index), round: 1 + (index % 2) })),
    rejected: [{ round: 1, image, reason: 'duplicate', detail: 'the same', raw: 'x'.repeat(2000) }],
    lineage: {
      nodes: numbers.map((number) => ({ id: `${number}`, kind: 'adapter', details: ['0123456789ab'], round: number })),
      edges: [{ from: '0', to: '1' }],
    },
  };
}
