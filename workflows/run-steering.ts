/**
 * The updates of `dataEngine` by which a person steers the run. They never hold anything up: each changes what is waited
 * for, and tells the round.
 */
import { ApplicationFailure, type ChildWorkflowHandle, setHandler } from '@temporalio/workflow';
import type { DataEngineInput, DataEngineProgress, Pause, WaitingStep } from './messages.ts';
import type { round } from './round.ts';
import {
  type Answer,
  addRoundsUpdate,
  giveUpUpdate,
  joinUpdate,
  maximumReason,
  mostRoundsAtOnce,
  pauseUpdate,
  resumeUpdate,
  retryStepUpdate,
  type Steer,
  type StepChoice,
  skipStepUpdate,
  steerSignal,
  stepNewsSignal,
} from './steering-messages.ts';
import type { StepAttempts } from './step-attempts.ts';

type Round = ChildWorkflowHandle<typeof round>;

export interface RunSteering {
  /** From now on this round is steered too. Tells it of a pause that came while it was starting. */
  roundStarted(round: Round, startedPaused: Pause | undefined): Promise<void>;
  roundEnded(): void;
}

/**
 * Sets the handlers. Call it before anything is waited for, so that no update is refused for coming early.
 *
 * @param run.progress what the updates return, and the round's news are written to
 * @param run.addRounds returns how many rounds there will be, or undefined when it can take none now
 */
export function steerRun(run: {
  input: DataEngineInput;
  progress: DataEngineProgress;
  attempts: StepAttempts;
  addRounds: (more: number) => number | undefined;
  tell: () => void;
  /** A step of the round waits for a person. */
  onWaiting: (waiting: WaitingStep) => Promise<void>;
}): RunSteering {
  const { input, progress, attempts, tell } = run;
  let current: Round | undefined;

  const pass = async (steer: Steer) => {
    // The round may have ended meanwhile: then there is nobody to tell.
    await current?.signal(steerSignal, steer).catch(() => undefined);
  };

  const pause = async (paused: Pause | undefined) => {
    attempts.paused = paused;
    progress.paused = paused;
    tell();
    await pass({ paused: paused ?? null });
    return progress;
  };

  const answer = (given: Answer) => async () => {
    const waiting = progress.waiting as WaitingStep;
    progress.waiting = undefined;
    tell();
    if (waiting.round === undefined) attempts.answer = given;
    else await pass({ answer: given });
    return waiting;
  };

  setHandler(pauseUpdate, ({ reason } = {}) => pause(reason === undefined ? {} : { reason }), {
    validator: (given?: Pause) => {
      const { reason } = given ?? {};
      if (reason !== undefined && (typeof reason !== 'string' || reason.length > maximumReason))
        refuse(`reason: a text of at most ${maximumReason} characters`);
      if (progress.paused !== undefined) refuse('The run is paused already');
    },
  });
  setHandler(resumeUpdate, () => pause(undefined), {
    validator: () => {
      if (progress.paused === undefined) refuse('The run is not paused');
    },
  });
  setHandler(retryStepUpdate, answer('retry'), { validator: (choice?: StepChoice) => checkChoice(progress, choice) });
  setHandler(giveUpUpdate, answer('giveUp'), { validator: (choice?: StepChoice) => checkChoice(progress, choice) });
  setHandler(skipStepUpdate, answer('skip'), {
    validator: (choice?: StepChoice) => {
      const { skip, step, round } = checkChoice(progress, choice);
      if (skip === undefined)
        refuse(
          `The step ${step}${round === undefined ? '' : ` of round ${round}`} can't be left out: \`retryStep\` or \`giveUp\``,
        );
    },
  });
  setHandler(addRoundsUpdate, ({ more }) => ({ rounds: run.addRounds(more) as number }), {
    validator: (given) => {
      const { more } = given ?? {};
      if (!(Number.isInteger(more) && more >= 1 && more <= mostRoundsAtOnce))
        refuse(`more: a whole number from 1 to ${mostRoundsAtOnce}`);
      if (run.addRounds(0) === undefined) refuse('Not now: the run is reading its config, or ending');
    },
  });
  setHandler(joinUpdate, () => progress, { validator: (given) => checkSameRun(input, given) });
  setHandler(stepNewsSignal, async ({ round, step, waiting }) => {
    Object.assign(progress, { round, step, waiting });
    tell();
    if (waiting !== undefined) await run.onWaiting(waiting);
  });

  return {
    async roundStarted(round, startedPaused) {
      current = round;
      if (attempts.paused !== startedPaused) await pass({ paused: attempts.paused ?? null });
    },
    roundEnded() {
      current = undefined;
      progress.waiting = undefined;
    },
  };
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

const compared = ['config', 'run', 'dataRoot', 'seed', 'rounds', 'more', 'samplingStrategy'] as const;

/** A run that is already there is joined only by who asked for the same. */
function checkSameRun(input: DataEngineInput, given: DataEngineInput | undefined): void {
  for (const key of compared) {
    if (given?.[key] !== input[key])
      refuse(
        `A run with this workflow id is under way with ${key} ${JSON.stringify(input[key]) ?? 'not given'}, not ${JSON.stringify(given?.[key]) ?? 'not given'}: choose another id, or cancel it first`,
      );
  }
}

function refuse(words: string): never {
  throw ApplicationFailure.nonRetryable(words);
}
