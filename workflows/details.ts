/**
 * The words and tables that the Temporal UI shows as current details. Pure functions.
 */
import type { DataEngineState, RoundSummary, StepRecord } from './messages.ts';

/** The steps of a round as a Markdown table. */
export function describeSteps(round: number, steps: StepRecord[]): string {
  const rows = steps.map(
    ({ name, state, seconds, note }) =>
      `| ${name} | ${state} | ${seconds === undefined ? '' : roundNumber(seconds, 1)} | ${note ?? ''} |`,
  );
  return [`**Round ${round}**`, '', '| step | state | seconds | result |', '| --- | --- | ---: | --- |', ...rows].join(
    '\n',
  );
}

/** The rounds of a run as a Markdown table, with a line that says what is under way. */
export function describeRounds({ plan, nextRound, rounds }: DataEngineState): string {
  const now = nextRound > plan.rounds ? 'All rounds are done.' : `Round ${nextRound} of ${plan.rounds} is under way.`;
  const rows = rounds.map((row) =>
    [
      row.round,
      roundNumber(row.multipleChoice, 1),
      roundNumber(row.directAnswer, 1),
      percentOrBlank(row.testMultipleChoice),
      row.badCases,
      row.samplesAdded,
      tokens(row),
      roundNumber(totalSeconds(row), 0),
    ].join(' | '),
  );
  return [
    `**Run ${plan.run}** (\`${plan.directory}\`). ${now}`,
    '',
    '| round | MC % | DA % | test MC % | bad cases | samples added | teacher tokens | seconds |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

/** A number with a fixed count of decimals, or a dash when there is none. */
export function roundNumber(value: number | undefined, decimals: number): string {
  return value === undefined ? '–' : value.toFixed(decimals);
}

export function totalSeconds(row: RoundSummary): number {
  return Object.values(row.seconds).reduce((sum, seconds) => sum + seconds, 0);
}

const rowsInPayloads = 12;
const rowsWithErrors = 4;

/** Keeps payloads below 10 KB: the newest rows, and only the last few with their errors by type. The report has all. */
export function compactRounds(rounds: RoundSummary[]): RoundSummary[] {
  return rounds
    .slice(-rowsInPayloads)
    .map((row, index, kept) => (index < kept.length - rowsWithErrors ? { ...row, errorByType: undefined } : row));
}

function percentOrBlank(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(1);
}

function tokens({ teacherTokens }: RoundSummary): number {
  return teacherTokens.prompt + teacherTokens.completion;
}
