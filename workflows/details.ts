/**
 * The texts and tables that the Temporal UI shows as current details. Pure functions.
 */
import { ActivityFailure, ChildWorkflowFailure, TimeoutFailure } from '@temporalio/workflow';
import { directAnswersDiffer } from '../src/evaluation/direct-answers.ts';
import type { CompareOutcome } from '../src/round/compare/results.ts';
import type { DiscoverOutcome } from '../src/round/discover/results.ts';
import type { GenerateOutcome } from '../src/round/generate/results.ts';
import type { DataEngineState, RoundSummary } from './inputs.ts';
import { codeSpan, plainText } from './markdown.ts';
import type { DataEngineProgress, DataEngineResult, GenerationProgress, Question, StepRecord } from './messages.ts';
import type { End } from './until-end.ts';

const problemCharacters = 500;

/**
 * What is wrong, cut to 500 characters: the words of whoever did the work, who knows more than the causes of its error, such as
 * what to check. Temporal's own errors around it say only where that was.
 */
export function describeProblem(error: unknown): string {
  let cause = error;
  while (isWrapper(cause) && cause.cause !== undefined) cause = cause.cause;
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, problemCharacters);
}

function isWrapper(error: unknown): error is Error {
  return error instanceof ActivityFailure || error instanceof ChildWorkflowFailure || error instanceof TimeoutFailure;
}

/** The steps of a round as a Markdown table. */
export function describeSteps(round: number, steps: StepRecord[]): string {
  const rows = steps.map(({ name, state, seconds, note }) => [
    plainText(name),
    state,
    seconds === undefined ? '' : roundNumber(seconds, 1),
    plainText(note ?? ''),
  ]);
  const head = ['step', 'state', 'seconds', 'result'];
  return [`**Round ${round}**`, '', ...table(head, rows)].join('\n');
}

/** The columns that hold numbers. */
const numberColumns = /^(round|seconds|samples added|.* %)$/;

/** A Markdown table. Temporal's UI has no padding in cells, so that each brings its own. */
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const line = (cells: readonly (string | number)[]) => `| ${cells.map((cell) => `${cell}\u00a0\u00a0`).join(' | ')} |`;
  const aligned = head.map((name) => (numberColumns.test(name) ? '---:' : '---'));
  return [line(head), `| ${aligned.join(' | ')} |`, ...rows.map(line)];
}

/**
 * The rounds of a run as a Markdown table, below a line that says what is under way, or how the run ended; then what a person
 * should know of it.
 */
export function describeRounds(
  { plan, nextRound, rounds, notes = [] }: DataEngineState,
  end?: { state: End; stop: DataEngineResult['stop'] | undefined; error?: unknown },
): string {
  const rule = end?.stop ?? rounds.at(-1)?.gate?.stop;
  const stop = rule?.rule === 'rounds' ? undefined : rule;
  const place = `${nextRound} of ${plan.rounds}`;
  const why = end?.error === undefined ? '' : `: ${plainText(describeProblem(end.error))}`;
  const ended = end?.state === 'failed' ? `It failed in round ${place}${why}.` : `It was canceled in round ${place}.`;
  const under = end === undefined ? `Round ${place} is under way.` : ended;
  const next = nextRound > plan.rounds ? 'All rounds are done.' : under;
  const now = stop === undefined ? next : `It ended early: ${plainText(stop.reason)}.`;
  const measure = plainText(rounds.at(-1)?.measure ?? 'MC');
  const hasDirectAnswers = rounds.at(-1)?.measure === undefined && directAnswersDiffer(rounds);
  return [
    `**Run ${plainText(plan.run)}** (${codeSpan(plan.directory)}). ${now}`,
    '',
    // What a person looks for first: the UI has half a window for it. The report has the rest.
    ...table(
      [
        'round',
        `${measure} %`,
        ...(hasDirectAnswers ? ['DA %'] : []),
        `test ${measure} %`,
        'samples added',
        'seconds',
        'built upon',
      ],
      rounds.map((row) => [
        row.round,
        roundNumber(row.multipleChoice, 1),
        ...(hasDirectAnswers ? [roundNumber(row.directAnswer, 1)] : []),
        percentOrBlank(row.testMultipleChoice),
        row.samplesAdded,
        roundNumber(totalSeconds(row), 0),
        decisionOf(row),
      ]),
    ),
    ...notes.flatMap((note) => ['', `**Note**: ${plainText(note)}`]),
  ].join('\n');
}

/** What a person needs to decide about a round, below the table of its steps. */
export function describeWaiting(
  workflowId: string,
  compared: CompareOutcome,
  { generate, append }: { generate?: GenerateOutcome; append?: { samplesAdded: number } },
): string {
  const { builtOn, worse, reason, remembered, forgotten, samplesPage } = compared;
  // A worker of an earlier version gives no reason where it is not worse.
  const tests = plainText(reason || (worse ? 'worse' : 'not worse'));
  const tokens = generate === undefined ? 0 : generate.promptTokens + generate.completionTokens;
  const money =
    generate?.currency === undefined ? '' : ` (${generate.cost.toFixed(2)} ${plainText(generate.currency)})`;
  return [
    '',
    '',
    '**This round waits for a decision.**',
    `- Score, against round ${builtOn}: ${tests}.`,
    `- Forgotten: ${forgotten} of ${remembered} questions that the best earlier rounds got right.`,
    `- Cost: ${append?.samplesAdded ?? 0} samples for ${tokens} teacher tokens${money}.`,
    `- Samples, and the answers that changed: ${codeSpan(samplesPage ?? '–')}`,
    `- Decide: ${codeSpan(`dataengine approve ${workflowId}`)} or ${codeSpan(`dataengine approve ${workflowId} --reject`)}, or send the update \`decideRound\`.`,
  ].join('\n');
}

/** What a person needs to approve a round's question types, below the table of its steps. */
export function describeWaitingTypes(workflowId: string, { types, proposed, file = '' }: DiscoverOutcome): string {
  return [
    '',
    '',
    '**This round waits for the approval of its question types.**',
    `- Types: ${types}, of which ${proposed} are new, in ${codeSpan(file)}`,
    `- Edit that file, then approve it: ${codeSpan(`dataengine approve-types ${workflowId}`)}. Or approve a file of yours: ${codeSpan(`dataengine approve-types ${workflowId} --types FILE`)}. Or send the update \`approveTypes\`.`,
  ].join('\n');
}

/** Samples that wait for a person's decisions. */
export interface WaitingReview {
  /** Of the round. */
  workflowId: string;
  run: string;
  round: number;
  undecided: number;
}

/** How to review samples, below the table of the round's steps. */
export function describeReview({ workflowId, run, round, undecided }: WaitingReview): string {
  const command = `dataengine data review CONFIG --run ${run} --round ${round} --continue ${workflowId}`;
  return [
    '',
    '',
    `**This round waits for the review of ${undecided} samples.**`,
    `- Review: ${codeSpan(command)}, where its config and folder are.`,
    '- When all are decided without `--continue`, send the update `samplesReviewed`.',
  ].join('\n');
}

/** `yes`, `set aside` or, for a round that was not judged, a dash. */
export function decisionOf({ gate }: RoundSummary): string {
  return gate === undefined ? '–' : gate.accepted ? 'yes' : 'set aside';
}

const questions: Record<Question, { what: string; command?: string }> = {
  decision: { what: 'a decision', command: 'approve' },
  types: { what: 'the approval of its question types', command: 'approve-types' },
  review: { what: 'the review of its samples' },
};

/** @param queue that no worker polls */
export function describeUnattended(queue: string | undefined): string {
  return queue === undefined
    ? ''
    : `\n\n**No worker polls the queue ${codeSpan(queue)}.** Start one: \`dataengine worker gpu\`.`;
}

/** @param problem with which a teacher that is still tried gives no answers */
export function describeTeacher(problem: string | undefined): string {
  return problem === undefined ? '' : `\n\n**The teacher gives no answers**, and is tried again: ${plainText(problem)}`;
}

/** Says when the run is paused, or waits for an answer. */
export function describeStanding(progress: DataEngineProgress): string {
  const { paused, waiting, asks, unattended, teacher, round: number, roundWorkflowId } = progress;
  const lines: string[] = [];
  if (paused !== undefined) {
    const reason = paused.reason === undefined ? '' : ` (${plainText(paused.reason)})`;
    lines.push(`**Paused**${reason}: no further step starts until the update \`resume\`.`);
  }
  if (waiting !== undefined) {
    const { round, step, problem, skip } = waiting;
    const answers = ['`retryStep`', ...(skip === undefined ? [] : ['`skipStep`']), '`giveUp`'].join(', ');
    const where = round === undefined ? step : `${step} of round ${round}`;
    lines.push(`**The step ${where} failed** and waits for one of the updates ${answers}: ${plainText(problem)}`);
  }
  if (asks !== undefined) {
    const { what, command } = questions[asks];
    const answer = command === undefined ? 'its details say how' : codeSpan(`dataengine ${command} ${roundWorkflowId}`);
    lines.push(`**Round ${number} waits for ${what}**: ${answer}.`);
  }
  return lines.map((line) => `\n\n${line}`).join('') + describeUnattended(unattended) + describeTeacher(teacher);
}

/** The progress of a generation, in a few lines of Markdown. */
export function describeGeneration(progress: GenerationProgress): string {
  const { round, state, requests, answered, underWay, spent, reserved, limit, currency, estimate, problem } = progress;
  const money = (amount: number) => `${amount.toFixed(2)} ${plainText(currency ?? '')}`;
  const lines = [`**Generation of round ${round}**: ${state}. ${answered} of ${requests} requests answered.`];
  if (estimate !== undefined) {
    const tokens = `${estimate.promptTokens} prompt and ${estimate.completionTokens} answer tokens`;
    const cost =
      currency === undefined ? 'no price known' : `${money(estimate.cost)}, ${money(estimate.maximumCost)} at most`;
    const minutes = roundNumber(estimate.seconds / 60, 0);
    const time = estimate.seconds > 0 ? `; at least ${minutes} minutes, by the rate limits` : '';
    lines.push(`Estimated before the first call: ${tokens} (${cost})${time}.`);
  }
  if (currency !== undefined) {
    const budget = limit === undefined ? 'no budget set' : `of ${money(limit)}`;
    lines.push(`The run has spent ${money(spent)} (${budget}); ${money(reserved)} reserved for ${underWay} under way.`);
  }
  if (state === 'waiting for a top-up') {
    lines.push('The next request could exceed the budget. Send the update `topUp` with an amount, or `finishEarly`.');
  }
  return lines.join('\n\n') + describeTeacher(problem);
}

/** With a fixed count of decimals; a dash for undefined. */
export function roundNumber(value: number | undefined, decimals: number): string {
  return value === undefined ? '–' : value.toFixed(decimals);
}

function totalSeconds(row: RoundSummary): number {
  return Object.values(row.seconds).reduce((sum, seconds) => sum + seconds, 0);
}

const rowsInPayloads = 10;
const rowsWithErrors = 3;

/** Keeps payloads below 10 KB: the newest rows, and the errors by question type and reasons of the last few only. The report has all. */
export function compactRounds(rounds: RoundSummary[]): RoundSummary[] {
  return rounds
    .slice(-rowsInPayloads)
    .map((row, index, kept) => (index < kept.length - rowsWithErrors ? shortRow(row) : row));
}

function shortRow(row: RoundSummary): RoundSummary {
  return { ...row, errorByType: undefined, gate: row.gate && { ...row.gate, reason: '' } };
}

function percentOrBlank(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(1);
}
