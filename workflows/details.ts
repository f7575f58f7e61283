/**
 * The words and tables that the Temporal UI shows as current details. Pure functions.
 */
import type { DataEngineState, GenerationProgress, RoundSummary, StepRecord } from './messages.ts';

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

/** How far a generation is, in a few lines of Markdown. */
export function describeGeneration(progress: GenerationProgress): string {
  const { round, state, requests, answered, underWay, spent, reserved, limit, currency, estimate } = progress;
  const money = (amount: number) => `${amount.toFixed(2)} ${currency}`;
  const lines = [`**Generation of round ${round}**: ${state}. ${answered} of ${requests} requests answered.`];
  if (estimate !== undefined) {
    const tokens = `${estimate.promptTokens} prompt and ${estimate.completionTokens} answer tokens`;
    const cost =
      currency === undefined ? 'no price known' : `${money(estimate.cost)}, ${money(estimate.maximumCost)} at most`;
    const time =
      estimate.seconds > 0 ? `; the limits make it last ${roundNumber(estimate.seconds / 60, 0)} minutes` : '';
    lines.push(`Estimated before the first call: ${tokens} (${cost})${time}.`);
  }
  if (currency !== undefined) {
    const budget = limit === undefined ? 'no budget set' : `of ${money(limit)}`;
    lines.push(`The run has spent ${money(spent)} (${budget}); ${money(reserved)} reserved for ${underWay} under way.`);
  }
  if (state === 'waiting for a top-up') {
    lines.push('The next request could pass the budget. Send the update `topUp` with an amount, or `finishEarly`.');
  }
  return lines.join('\n\n');
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
