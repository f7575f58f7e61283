/**
 * The closed loop: round 0, then data-engine rounds, each a child workflow.
 */
import {
  continueAsNew,
  executeChild,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { cpuActivities } from './activity-options.ts';
import { compactRounds, describeRounds } from './details.ts';
import {
  type DataEngineInput,
  type DataEngineProgress,
  type DataEngineResult,
  type DataEngineState,
  engineProgressQuery,
  roundsQuery,
} from './messages.ts';
import { round } from './round.ts';

/**
 * Runs all rounds of a config and returns their table. The run's name is the config's `run`, or the workflow id.
 * After `temporal.roundsPerExecution` rounds it continues as new, with its state as its input.
 */
export async function dataEngine(input: DataEngineInput): Promise<DataEngineResult> {
  const { workflowId } = workflowInfo();
  const progress: DataEngineProgress = { run: input.run, round: input.state?.nextRound ?? 0 };
  let state = input.state;
  setHandler(engineProgressQuery, () => progress);
  setHandler(roundsQuery, () => state?.rounds ?? []);

  state ??= await beginRun(input, workflowId);
  const { plan } = state;
  Object.assign(progress, { run: plan.run, directory: plan.directory, rounds: plan.rounds });
  setCurrentDetails(describeRounds(state));

  let roundsInThisExecution = 0;
  let stop = state.rounds.at(-1)?.gate?.stop;
  while (state.nextRound <= plan.rounds && stop === undefined) {
    if (roundsInThisExecution >= plan.roundsPerExecution) {
      return continueAsNew<typeof dataEngine>({ ...input, state: { ...state, rounds: compactRounds(state.rounds) } });
    }
    const number: number = state.nextRound;
    progress.round = number;
    progress.roundWorkflowId = `${workflowId}/round-${number}`;
    const summary = await executeChild(round, {
      workflowId: progress.roundWorkflowId,
      args: [{ plan, round: number }],
      // A run that was terminated can be started again at once: its round is gone with it.
      parentClosePolicy: ParentClosePolicy.TERMINATE,
      staticSummary: number === 0 ? `Round 0 of ${plan.run}: base finetuning` : `Round ${number} of ${plan.run}`,
    });
    state = { plan, nextRound: number + 1, rounds: [...state.rounds, summary] };
    stop = summary.gate?.stop;
    roundsInThisExecution += 1;
    setCurrentDetails(describeRounds(state));
    await cpuActivities(`Write the report after round ${number}`, 30, plan.queues.cpu).report({
      runDirectory: plan.directory,
      round: number,
    });
  }
  return {
    run: plan.run,
    directory: plan.directory,
    report: `${plan.directory}/report.html`,
    lastGood: state.rounds.at(-1)?.gate?.lastGood ?? plan.rounds,
    stop: stop ?? { rule: 'rounds', reason: `all ${plan.rounds} rounds after round 0 are done` },
    rounds: compactRounds(state.rounds),
  };
}

async function beginRun(input: DataEngineInput, workflowId: string): Promise<DataEngineState> {
  // On the workflow's own queue: the config that names the queues is not read yet.
  const plan = await cpuActivities(`Read and freeze ${input.config}`, 10).prepareRun({ ...input, workflowId });
  await cpuActivities('Check the data, or render the demo domain', 360, plan.queues.cpu).prepareData({
    runDirectory: plan.directory,
    round: 0,
  });
  return { plan, nextRound: 0, rounds: [] };
}
