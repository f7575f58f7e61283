/**
 * The closed loop: round 0, then data-engine rounds, each a child workflow.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  allHandlersFinished,
  condition,
  makeContinueAsNewFunc,
  ParentClosePolicy,
  patched,
  workflowInfo,
} from '@temporalio/workflow';
import { cpuActivities, stepActivity, teacherActivities } from './activity-options.ts';
import { startOnlyChild } from './children.ts';
import { compactRounds } from './details.ts';
import { type DataEngineInput, type DataEngineState, dataEngineInputSchema, parseContinued } from './inputs.ts';
import { MessageHandlers } from './message-handlers.ts';
import type { DataEngineResult } from './messages.ts';
import { notify, roundNotification } from './notifications.ts';
import { thisExecution } from './owner.ts';
import { dataEngineRound } from './round.ts';
import { handleRunMessages } from './run-handlers.ts';
import { RunState } from './run-state.ts';
import { roundSearchAttributes } from './search-attributes.ts';
import { untilEnd } from './until-end.ts';

/**
 * Runs all rounds of a config and returns their table. The run's name is the config's `run`, or the workflow id.
 * After `temporal.roundsPerExecution` rounds it continues as new, with its state as its input.
 */
export async function dataEngine(given: DataEngineInput): Promise<DataEngineResult> {
  const input = parseContinued(dataEngineInputSchema, given, workflowInfo());
  const messages = new MessageHandlers();
  const run = new RunState(input, messages);
  handleRunMessages(run, messages);
  return untilEnd(
    () => doRounds(run),
    (end, error) => run.close(end, error),
  );
}

async function doRounds(run: RunState): Promise<DataEngineResult> {
  const { input } = run;
  run.start(input.state ?? (await planRun(input)));
  if (input.state === undefined) await prepareData(run);
  while (!run.isOver) {
    if (run.isTimeToContinueAsNew) return await continueAsNew(run);
    await doNextRound(run);
  }
  return await finish(run);
}

const scheduledByKey = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');

async function planRun(input: DataEngineInput): Promise<DataEngineState> {
  const { workflowId, typedSearchAttributes } = workflowInfo();
  // On the workflow's own queue: the config that names the queues is not read yet.
  const { earlier = [], ...plan } = await cpuActivities(undefined, `Read and freeze ${input.config}`, 10).prepareRun({
    ...input,
    workflowId,
    scheduledBy: typedSearchAttributes.get(scheduledByKey) ?? undefined,
  });
  return { plan, nextRound: (earlier.at(-1)?.round ?? -1) + 1, rounds: earlier };
}

async function prepareData(run: RunState): Promise<void> {
  const { plan } = run;
  const reference = { runDirectory: plan.directory, round: 0, owner: thisExecution() };
  const prepare = stepActivity(plan, 'prepare-data');
  const { notes = [], leavesTeacher = false } = await run.step('prepare-data', () => prepare(reference));
  run.addNotes(notes);
  if (!leavesTeacher) return;
  const { checkTeacher } = teacherActivities(plan.queues.teacher, 'Look whether the teacher answers');
  run.addNotes((await run.step('check-teacher', () => checkTeacher(reference))).notes);
}

async function doNextRound(run: RunState): Promise<void> {
  const { plan, nextRound: number } = run;
  const reference = { runDirectory: plan.directory, round: number, owner: thisExecution() };

  const summary = await untilRoundEnds(run);
  if ('endedEarly' in summary) {
    run.stop = { rule: 'nothing-new', reason: `round ${number} ended early: ${summary.endedEarly}` };
    // What the round has cost is in it.
    if (patched('report of a round that ended early'))
      await run.optionalStep('report', () => stepActivity(plan, 'report')(reference));
    return;
  }
  run.addRow(summary);
  const { recordRound } = cpuActivities(plan.queues.cpu, `Record the row of round ${number}`, 10);
  await run.step('record', () => recordRound({ ...reference, summary }));
  await run.optionalStep('report', () => stepActivity(plan, 'report')(reference));
  run.notifications.send(plan, 'round', number, roundNotification(summary));
}

const longestFairnessKey = 64;

function untilRoundEnds(run: RunState): ReturnType<typeof dataEngineRound> {
  const { plan, nextRound: number } = run;
  const workflowId = `${workflowInfo().workflowId}/round-${number}`;
  return run.untilRoundEnds(workflowId, (paused) =>
    startOnlyChild(dataEngineRound, {
      workflowId,
      args: [{ plan, round: number, owner: thisExecution(), paused }],
      // A run that was terminated can be started again at once: its round is terminated with it.
      parentClosePolicy: ParentClosePolicy.TERMINATE,
      typedSearchAttributes: roundSearchAttributes(plan, number),
      // All activities below it inherit the key: a run with many shards waits its turn with those of others.
      priority: { fairnessKey: plan.run.slice(0, longestFairnessKey) },
      staticSummary: number === 0 ? `Round 0 of ${plan.run}: base finetuning` : `Round ${number} of ${plan.run}`,
    }),
  );
}

async function continueAsNew(run: RunState): Promise<never> {
  await run.notifications.untilSent();
  await condition(allHandlersFinished);
  // The next execution of a pinned workflow runs on the newest version of the workers.
  return makeContinueAsNewFunc<typeof dataEngine>({ initialVersioningBehavior: 'AUTO_UPGRADE' })(run.handOver());
}

async function finish(run: RunState): Promise<DataEngineResult> {
  const stop = run.end();
  const { plan, rounds } = run;
  await run.notifications.untilSent();
  await notify(plan, 'done', run.nextRound - 1, `ended: ${stop.reason}`);
  return {
    run: plan.run,
    directory: plan.directory,
    report: `${plan.directory}/report.html`,
    lastGood: rounds.at(-1)?.gate?.lastGood ?? plan.rounds,
    stop,
    rounds: compactRounds(rounds),
  };
}
