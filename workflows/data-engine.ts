/**
 * The closed loop: round 0, then data-engine rounds, each a child workflow.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  allHandlersFinished,
  ContinueAsNew,
  condition,
  isCancellation,
  makeContinueAsNewFunc,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { cpuActivities } from './activity-options.ts';
import { compactRounds, describeRounds, describeStanding } from './details.ts';
import type { WaitingStep } from './messages.ts';
import {
  type DataEngineInput,
  type DataEngineProgress,
  type DataEngineResult,
  type DataEngineState,
  engineProgressQuery,
  roundsQuery,
  type StepRecord,
} from './messages.ts';
import { failureNotice, roundNotice, tellPerson, waitingNotice } from './notices.ts';
import { round } from './round.ts';
import { steerRun } from './run-steering.ts';
import { roundSearchAttributes, showInSearch } from './search-attributes.ts';
import { StepSkipped, stepAttempts } from './step-attempts.ts';

const scheduledByKey = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');

/**
 * Runs all rounds of a config and returns their table. The run's name is the config's `run`, or the workflow id.
 * After `temporal.roundsPerExecution` rounds it continues as new, with its state as its input.
 */
export async function dataEngine(input: DataEngineInput): Promise<DataEngineResult> {
  const { workflowId } = workflowInfo();
  let state = input.state;
  let ending = false;
  const shown = new Map<string, unknown>();
  const progress: DataEngineProgress = { run: input.run, round: state?.nextRound ?? 0, paused: state?.paused };
  const tell = () => {
    if (state === undefined) return;
    setCurrentDetails(describeRounds(state) + describeStanding(progress));
    showInSearch(shown, state.plan, progress, state.rounds);
  };
  const onWaiting = async (waiting: WaitingStep) => {
    if (state !== undefined) await tellPerson(state.plan, 'failed', state.nextRound, waitingNotice(waiting));
  };
  const attempts = stepAttempts({
    paused: state?.paused,
    failedStep: () => state?.plan.failedStep,
    tell: async ({ name }) => {
      Object.assign(progress, { step: name, waiting: attempts.waiting });
      tell();
      if (attempts.waiting !== undefined) await onWaiting(attempts.waiting);
    },
  });
  setHandler(engineProgressQuery, () => progress);
  setHandler(roundsQuery, () => state?.rounds ?? []);
  const steering = steerRun({
    input,
    progress,
    attempts,
    addRounds: (more) => {
      if (state === undefined || ending) return undefined;
      state.plan.rounds += more;
      progress.rounds = state.plan.rounds;
      tell();
      return state.plan.rounds;
    },
    tell,
    onWaiting,
  });

  /** A step of the run itself. */
  const step = (name: string, work: () => Promise<unknown>, canSkip = false) => {
    const record: StepRecord = { name, state: 'running' };
    return attempts.attempt(record, work, canSkip ? 'step' : undefined);
  };

  async function runRounds(): Promise<DataEngineResult> {
    state ??= await beginRun(input, workflowId);
    const { plan } = state;
    Object.assign(progress, { run: plan.run, directory: plan.directory, rounds: plan.rounds });
    tell();
    if (input.state === undefined) {
      await step('prepare-data', () =>
        cpuActivities('Check the data, or render the demo domain', 360, plan.queues.cpu).prepareData({
          runDirectory: plan.directory,
          round: 0,
        }),
      );
    }

    let roundsInThisExecution = 0;
    let stop = input.state?.rounds.at(-1)?.gate?.stop;
    while (state.nextRound <= plan.rounds && stop === undefined) {
      if (roundsInThisExecution > 0 && isTimeToContinueAsNew(roundsInThisExecution, plan.roundsPerExecution)) {
        await condition(allHandlersFinished);
        return continueAsNew({ ...input, state: handOver(state, attempts.paused) });
      }
      const number: number = state.nextRound;
      progress.round = number;
      progress.roundWorkflowId = `${workflowId}/round-${number}`;
      const { paused } = attempts;
      const child = await startChild(round, {
        workflowId: progress.roundWorkflowId,
        args: [{ plan, round: number, paused }],
        // A run that was terminated can be started again at once: its round is gone with it.
        parentClosePolicy: ParentClosePolicy.TERMINATE,
        typedSearchAttributes: roundSearchAttributes(plan, number),
        staticSummary: number === 0 ? `Round 0 of ${plan.run}: base finetuning` : `Round ${number} of ${plan.run}`,
      });
      await steering.roundStarted(child, paused);
      const summary = await child.result();
      steering.roundEnded();
      if ('endedEarly' in summary) {
        stop = { rule: 'nothing-new', reason: `round ${number} ended early: ${summary.endedEarly}` };
        break;
      }
      state = { plan, nextRound: number + 1, rounds: [...state.rounds, summary] };
      stop = summary.gate?.stop;
      roundsInThisExecution += 1;
      tell();
      await step('record', () =>
        cpuActivities(`Keep the row of round ${number}`, 10, plan.queues.cpu).recordRound({
          runDirectory: plan.directory,
          round: number,
          summary,
        }),
      );
      const write = cpuActivities(`Write the report after round ${number}`, 30, plan.queues.cpu);
      await step('report', () => write.report({ runDirectory: plan.directory, round: number }), true).catch(leaveOut);
      await tellPerson(plan, 'round', number, roundNotice(summary));
    }
    ending = true;
    stop ??= { rule: 'rounds', reason: `all ${plan.rounds} rounds after round 0 are done` };
    await tellPerson(plan, 'done', state.nextRound - 1, `ended: ${stop.reason}`);
    await condition(allHandlersFinished);
    return {
      run: plan.run,
      directory: plan.directory,
      report: `${plan.directory}/report.html`,
      lastGood: state.rounds.at(-1)?.gate?.lastGood ?? plan.rounds,
      stop,
      rounds: compactRounds(state.rounds),
    };
  }

  try {
    return await runRounds();
  } catch (error) {
    if (state !== undefined && !(error instanceof ContinueAsNew) && !isCancellation(error)) {
      await tellPerson(state.plan, 'failed', state.nextRound, failureNotice(error));
    }
    throw error;
  }
}

function continueAsNew(input: DataEngineInput): Promise<never> {
  // The next execution of a pinned workflow runs on the newest version of the workers.
  return makeContinueAsNewFunc<typeof dataEngine>({ initialVersioningBehavior: 'AUTO_UPGRADE' })(input);
}

function isTimeToContinueAsNew(rounds: number, roundsPerExecution: number): boolean {
  const { continueAsNewSuggested, targetWorkerDeploymentVersionChanged } = workflowInfo();
  return rounds >= roundsPerExecution || continueAsNewSuggested || targetWorkerDeploymentVersionChanged;
}

function handOver(state: DataEngineState, paused: DataEngineState['paused']): DataEngineState {
  return { ...state, rounds: compactRounds(state.rounds), paused };
}

function leaveOut(error: unknown): void {
  if (!(error instanceof StepSkipped)) throw error;
}

async function beginRun(input: DataEngineInput, workflowId: string): Promise<DataEngineState> {
  // On the workflow's own queue: the config that names the queues is not read yet.
  const { earlier = [], ...plan } = await cpuActivities(`Read and freeze ${input.config}`, 10).prepareRun({
    ...input,
    workflowId,
    scheduledBy: workflowInfo().typedSearchAttributes.get(scheduledByKey) ?? undefined,
  });
  return { plan, nextRound: (earlier.at(-1)?.round ?? -1) + 1, rounds: earlier };
}
