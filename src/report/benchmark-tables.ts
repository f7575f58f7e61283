import { worded } from '../core/worded.ts';
import { type Cell, folded, type Html, table, withRange } from './html.ts';
import { type ReportCombined, type ReportMeasure, type ReportRound, reportsDirectAnswers } from './report-input.ts';

/** Scores with 95 % confidence intervals: a row per measure of a set, a column per round. */
export function benchmarkTable(rounds: readonly ReportRound[]): Html {
  const lines = unique(rounds.flatMap(({ benchmarks }) => benchmarks));
  if (lines.length === 0) return '<p>No scores yet.</p>';
  const rows = lines.map((line): Cell[] => [
    `${line.title} (${line.set}), ${worded(line.measure)}`,
    ...rounds.map(({ benchmarks }) => scoreCell(benchmarks.find((one) => isSame(one, line)))),
  ]);
  const figures = unique(rounds.flatMap(({ combined = [] }) => combined.map(asLine)));
  for (const figure of figures) {
    const cells = rounds.map(({ combined = [] }) => combinedCell(combined.find((one) => isSame(asLine(one), figure))));
    rows.push([`${figure.title} (${figure.set}), ${worded(figure.measure)}`, ...cells]);
  }
  if (rounds.some(({ serving }) => serving)) {
    rows.push(
      ['Same answers, merged and served', ...rounds.map(({ serving }) => servingCell(serving))],
      [
        'Their losses differ by at most',
        ...rounds.map(({ serving }) => serving?.largestLossDifference?.toPrecision(1) ?? '–'),
      ],
    );
  }
  return table(['Score (95 % confidence interval)', ...rounds.map(({ round }) => `Round ${round}`)], rows);
}

/** Where direct answers have no column, the rounds without those that are the same set's multiple choice again, to the digit. */
export function withoutRepeatedScores(rounds: readonly ReportRound[]): readonly ReportRound[] {
  if (reportsDirectAnswers(rounds)) return rounds;
  const scoreOf = ({ benchmarks }: ReportRound, set: string, measure: string) =>
    benchmarks.find((one) => one.set === set && one.measure === measure)?.value;
  const isRepeated = ({ set, measure }: ReportMeasure) =>
    measure === 'directAnswer' &&
    rounds.every((round) => scoreOf(round, set, measure) === scoreOf(round, set, 'multipleChoice'));
  return rounds.map((round) => ({ ...round, benchmarks: round.benchmarks.filter((one) => !isRepeated(one)) }));
}

/** How far a judge can be trusted: a row per fact of a set, a column per round. Nothing where no answers are judged. */
export function judgeTable(rounds: readonly ReportRound[]): Html {
  const facts = rounds.flatMap(({ judged = [] }) =>
    judged.flatMap((one) => one.facts.map(({ label }) => ({ set: one.set, label }))),
  );
  const rowsOf = new Map(facts.map((fact) => [`${fact.set}: ${fact.label}`, fact]));
  if (rowsOf.size === 0) return '';
  const rows = [...rowsOf].map(([name, { set, label }]) => [
    name,
    ...rounds.map(({ judged = [] }) => {
      const ofSet = judged.find((one) => one.set === set);
      return ofSet?.facts.find((fact) => fact.label === label)?.text ?? '–';
    }),
  ]);
  const head = ["The teacher's scores of written answers", ...rounds.map(({ round }) => `Round ${round}`)];
  return table(head, rows);
}

/** The last round's scores by ability, dimension and question type: a collapsible table per measure. */
export function abilityTables(rounds: readonly ReportRound[]): Html {
  const last = rounds.at(-1);
  const folds = (last?.benchmarks ?? [])
    .filter(({ groups }) => Object.keys(groups).length > 0)
    .map(({ title, set, measure, groups }) => {
      const rows = Object.entries(groups).flatMap(([way, classes]) =>
        Object.entries(classes).map(([name, estimate]) => [
          `${way}: ${name}`,
          scoreCell(estimate),
          String(estimate.count),
        ]),
      );
      const summary = `${title} (${set}), ${worded(measure)}, by kind of question: round ${last?.round}`;
      return folded(summary, table(['Kind', 'Score', 'Of'], rows));
    });
  return folds.join('\n');
}

function scoreCell(score: (Pick<ReportMeasure, 'value' | 'low' | 'high'> & { unanswered?: number }) | undefined): Cell {
  if (score === undefined) return '–';
  const percent = (share: number) => (share * 100).toFixed(1);
  const failed = score.unanswered ? `; no choice found in ${score.unanswered}` : '';
  return withRange(`${percent(score.value)} %`, `(${percent(score.low)} to ${percent(score.high)}${failed})`);
}

/** A figure without an interval. */
function combinedCell(figure: ReportCombined | undefined): string {
  if (figure === undefined) return '–';
  return figure.unit === 'share' ? `${(100 * figure.value).toFixed(1)} %` : `${figure.value.toFixed(1)} points`;
}

/** What the step check-serving has found; a round in which they differ stops there. */
function servingCell(serving: ReportRound['serving']): Cell {
  if (serving === undefined) return '–';
  const { questions, nearTies } = serving;
  const ties = nearTies === 0 ? '' : `(${nearTies} near ${nearTies === 1 ? 'tie' : 'ties'})`;
  return withRange(`${questions} of ${questions}`, ties);
}

type Line = Pick<ReportMeasure, 'set' | 'title' | 'measure'>;

function asLine({ set, title, name }: ReportCombined): Line {
  return { set, title, measure: name };
}

function unique<L extends Line>(measures: readonly L[]): L[] {
  return measures.filter((one, index) => measures.findIndex((other) => isSame(one, other)) === index);
}

function isSame(one: Line, other: Line): boolean {
  return one.set === other.set && one.measure === other.measure;
}
