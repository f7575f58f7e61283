/**
 * The queries, updates and signals of `dataEngine`. An update returns at once: it changes what the run waits for, and is
 * passed on to the round.
 */
import { setHandler } from '@temporalio/workflow';
import type { DataEngineInput, Pause } from './inputs.ts';
import { type DataEngineProgress, engineProgressQuery, roundsQuery, type WaitingStep } from './messages.ts';
import type { RunState } from './run-state.ts';
import {
  type Answer,
  addRoundsUpdate,
  giveUpUpdate,
  joinUpdate,
  maxAddedRounds,
  maxReasonLength,
  pauseUpdate,
  refuse,
  reportStepSignal,
  resumeUpdate,
  retryStepUpdate,
  type StepChoice,
  skipStepUpdate,
  stepReportSchema,
  takeSignal,
} from './steering-messages.ts';

/** Call it before anything is waited for, so that no update is refused for coming early. */
export function handleRunMessages(run: RunState): void {
  const answer = (given: Answer) => () => run.answerFor(run.progress.waiting as WaitingStep, given);

  setHandler(engineProgressQuery, () => run.progress);
  setHandler(roundsQuery, () => run.rounds);
  setHandler(pauseUpdate, ({ reason } = {}) => run.setPaused(reason === undefined ? {} : { reason }), {
    validator: (pause?: Pause) => checkPause(run.progress, pause),
  });
  setHandler(resumeUpdate, () => run.setPaused(undefined), {
    validator: () => {
      if (run.progress.paused === undefined) refuse('The run is not paused');
    },
  });
  setHandler(retryStepUpdate, answer('retry'), {
    validator: (choice?: StepChoice) => void checkChoice(run.progress, choice),
  });
  setHandler(giveUpUpdate, answer('giveUp'), {
    validator: (choice?: StepChoice) => void checkChoice(run.progress, choice),
  });
  setHandler(skipStepUpdate, answer('skip'), {
    validator: (choice?: StepChoice) => checkSkip(checkChoice(run.progress, choice)),
  });
  setHandler(addRoundsUpdate, ({ more }) => run.addRounds(more), { validator: (given) => checkMore(run, given) });
  setHandler(joinUpdate, () => run.progress, { validator: (given) => checkSameRun(run.input, given) });
  setHandler(
    reportStepSignal,
    takeSignal(stepReportSchema, (news) => run.onStepReport(news)),
  );
}

function checkPause({ paused }: DataEngineProgress, { reason }: Pause = {}): void {
  if (reason !== undefined && (typeof reason !== 'string' || reason.length > maxReasonLength))
    refuse(`reason: a text of at most ${maxReasonLength} characters`);
  if (paused !== undefined) refuse('The run is already paused');
}

function checkChoice({ waiting, step, round }: DataEngineProgress, choice: StepChoice | undefined): WaitingStep {
  if (waiting === undefined) {
    return refuse(`No step waits for an answer: round ${round} is at ${step ?? 'its beginning'}`);
  }
  if (choice?.step !== undefined && choice.step !== waiting.step) {
    refuse(`It is the step ${waiting.step} that waits, not ${choice.step}`);
  }
  return waiting;
}

function checkSkip({ skip, step, round }: WaitingStep): void {
  const where = round === undefined ? '' : ` of round ${round}`;
  if (skip === undefined) refuse(`The step ${step}${where} can't be skipped: \`retryStep\` or \`giveUp\``);
}

function checkMore(run: RunState, given: { more: number } | undefined): void {
  const { more } = given ?? {};
  if (!(Number.isInteger(more) && (more as number) >= 1 && (more as number) <= maxAddedRounds))
    refuse(`more: a whole number from 1 to ${maxAddedRounds}`);
  if (!run.canAddRounds) refuse('Not now: the run is reading its config, or ending');
}

const compared = ['config', 'run', 'dataRoot', 'seed', 'rounds', 'more', 'samplingStrategy'] as const;

/** A run that is under way is joined only by who asked for the same. */
function checkSameRun(input: DataEngineInput, given: DataEngineInput | undefined): void {
  for (const key of compared) {
    if (given?.[key] !== input[key])
      refuse(
        `A run with this workflow id is under way with ${key} ${JSON.stringify(input[key]) ?? 'not given'}, not ${JSON.stringify(given?.[key]) ?? 'not given'}: choose another id, or cancel it first`,
      );
  }
}
