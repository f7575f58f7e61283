/**
 * The queries, updates and signals of `dataEngine`. An update returns at once: it changes what the run waits for, and is
 * passed on to the round.
 */
import type { DataEngineInput } from './inputs.ts';
import { type MessageHandlers, refuse } from './message-handlers.ts';
import {
  type DataEngineProgress,
  engineProgressQuery,
  roundsQuery,
  standingInWords,
  type WaitingStep,
} from './messages.ts';
import type { RunState } from './run-state.ts';
import {
  type Answer,
  addRoundsUpdate,
  giveUpUpdate,
  joinUpdate,
  pauseUpdate,
  reportRoundSignal,
  resumeUpdate,
  retryStepUpdate,
  type StepChoice,
  skipStepUpdate,
} from './steering-messages.ts';

/** Call it before anything is waited for, so that no update is refused for coming early. */
export function handleRunMessages(run: RunState, messages: MessageHandlers): void {
  const answer = (given: Answer) => () => run.answerFor(run.progress.waiting as WaitingStep, given);
  const checked = (choice: StepChoice | undefined) => checkChoice(run.progress, choice);

  messages.query(engineProgressQuery, () => run.progress);
  messages.query(roundsQuery, () => run.rounds);
  messages.update(
    pauseUpdate,
    (pause) => run.setPaused(pause?.reason === undefined ? {} : { reason: pause.reason }),
    () => {
      if (run.progress.paused !== undefined) refuse('The run is already paused');
    },
  );
  messages.update(
    resumeUpdate,
    () => run.setPaused(undefined),
    () => {
      if (run.progress.paused === undefined) refuse('The run is not paused');
    },
  );
  messages.update(retryStepUpdate, answer('retry'), checked);
  messages.update(giveUpUpdate, answer('giveUp'), checked);
  messages.update(skipStepUpdate, answer('skip'), (choice) => checkSkip(checked(choice)));
  messages.update(
    addRoundsUpdate,
    ({ more }) => run.addRounds(more),
    () => {
      if (!run.canAddRounds) refuse('Not now: the run is reading its config, or ending');
    },
  );
  messages.update(
    joinUpdate,
    () => run.progress,
    (given) => checkSameRun(run.input, given),
  );
  messages.signal(
    reportRoundSignal,
    (report) => run.onReport(report),
    (report) => run.problemWith(report),
  );
  messages.refuseOtherSignals();
}

function checkChoice({ waiting, state, round }: DataEngineProgress, choice: StepChoice | undefined): WaitingStep {
  if (waiting === undefined) return refuse(`No step waits for an answer: round ${round} ${standingInWords(state)}`);
  if (choice?.step !== undefined && choice.step !== waiting.step) {
    refuse(`It is the step ${waiting.step} that waits, not ${choice.step}`);
  }
  return waiting;
}

function checkSkip({ skip, step, round }: WaitingStep): void {
  const where = round === undefined ? '' : ` of round ${round}`;
  if (skip === undefined) refuse(`The step ${step}${where} can't be skipped: \`retryStep\` or \`giveUp\``);
}

const compared = ['config', 'run', 'dataRoot', 'seed', 'rounds', 'more', 'samplingStrategy'] as const;

/** A run that is under way is joined only by who asked for the same. */
function checkSameRun(input: DataEngineInput, given: DataEngineInput): void {
  for (const key of compared) {
    if (given[key] !== input[key])
      refuse(
        `A run with this workflow id is under way with ${key} ${JSON.stringify(input[key]) ?? 'not given'}, not ${JSON.stringify(given[key]) ?? 'not given'}: choose another id, or cancel it first`,
      );
  }
}
