/**
 * What the activities of the CPU workers compute, by the activity's name. A task is given plain values, so that another
 * process can do it.
 */
import { loadConfig } from '../src/config/load-config.ts';
import { taskQueuesOf } from '../src/config/workflow-schemas.ts';
import { afterRound } from '../src/round/after-round.ts';
import { recordTopUp } from '../src/round/asking/chunk.ts';
import type { GenerationPlan } from '../src/round/asking/plan.ts';
import { approveTypes } from '../src/round/discover/discover.ts';
import { gate } from '../src/round/gate/gate.ts';
import type { GateOutcome } from '../src/round/gate/results.ts';
import { finishGeneration, startGeneration } from '../src/round/generate/generate.ts';
import type { GenerateOutcome } from '../src/round/generate/results.ts';
import { finishJudging, startJudging } from '../src/round/judge/judge.ts';
import type { JudgeOutcome } from '../src/round/judge/results.ts';
import { withNamedRun } from '../src/round/named-run.ts';
import { notify } from '../src/round/notify.ts';
import { withNewRun } from '../src/round/open-run.ts';
import { ownFolders } from '../src/round/own-folders.ts';
import type { SeenOwner } from '../src/round/owner/seen-owner.ts';
import { requireBudget } from '../src/round/paid-teacher.ts';
import { acceptIteration, preparePrompt, refuseFolderOfRun } from '../src/round/prompt-optimization.ts';
import { prune } from '../src/round/retention/prune.ts';
import type { PruneOutcome } from '../src/round/retention/removals.ts';
import type { StepContext } from '../src/round/step-context.ts';
import type { StepName } from '../src/round/steps.ts';
import type { VerifyOutcome } from '../src/round/verify/results.ts';
import { finishVerification, startVerification } from '../src/round/verify/verify.ts';
import type { RoundSummary } from '../workflows/inputs.ts';
import type { PruneInput } from '../workflows/prune-input.ts';
import { type PreparedRun, type PrepareRunInput, prepareRun, runNameOf } from './prepare-run.ts';
import type { PromptActivities } from './prompt.ts';
import type { ApproveTypesReference, GateReference, NotificationReference, StepReference } from './references.ts';
import { writeRoundRecord } from './round-records.ts';
import { type TaskHost, workOnRun } from './run-step.ts';
import { loadStepsOf, type StepActivities } from './step-activities.ts';

export interface CpuTaskActivities extends StepActivities<'cpu'>, PromptActivities {
  prepareRun(input: PrepareRunInput): Promise<PreparedRun>;
  /** Keeps a finished round's row for later workflows that continue the run. */
  recordRound(input: StepReference & { summary: RoundSummary }): Promise<void>;
  startGeneration(reference: StepReference): Promise<GenerationPlan>;
  finishGeneration(reference: StepReference): Promise<GenerateOutcome>;
  startVerification(reference: StepReference): Promise<GenerationPlan>;
  finishVerification(reference: StepReference): Promise<VerifyOutcome>;
  startJudging(reference: StepReference): Promise<GenerationPlan>;
  finishJudging(reference: StepReference): Promise<JudgeOutcome>;
  /** Recording a top-up again changes nothing. */
  recordTopUp(reference: StepReference & { id: string; amount: number }): Promise<void>;
  /** Decides whether the round is built upon; a person's decision counts under the policy `approve`. */
  gate(reference: GateReference): Promise<GateOutcome>;
  /** Records that a round's discovered question types may be used. @throws InputError for a list that is none */
  approveTypes(reference: ApproveTypesReference): Promise<{ types: number }>;
  /** Removes of a run what its config does not keep. @param input.beside the run's owner, as the worker sees it */
  prune(input: PruneInput & { beside?: SeenOwner }): Promise<PruneOutcome>;
  /** Posts to the config's webhook. */
  notify(notification: NotificationReference): Promise<void>;
}

/** The input of each activity → its outcome. */
export type CpuTasks = {
  [Name in keyof CpuTaskActivities]: (
    input: Parameters<CpuTaskActivities[Name]>[0],
    host: TaskHost,
  ) => ReturnType<CpuTaskActivities[Name]>;
};

async function stepTasks() {
  const loaded = await loadStepsOf('cpu');
  return Object.fromEntries(
    loaded.map(({ name, activity, step }) => [
      activity,
      (reference: StepReference, host: TaskHost) => onRun(host, reference, step, name),
    ]),
  ) as Pick<CpuTasks, keyof StepActivities<'cpu'>>;
}

/** Works on the run of a reference. @param writes the step whose folders the work writes */
function onRun<R>(
  host: TaskHost,
  reference: StepReference,
  work: (context: StepContext) => Promise<R>,
  writes?: StepName,
): Promise<R> {
  return workOnRun(host, reference, work, writes && ownFolders(reference.round, writes));
}

export const cpuTasks: CpuTasks = {
  ...(await stepTasks()),
  // A run that moves into a store is uploaded first, which may take a while.
  prepareRun,
  recordRound: ({ summary, ...reference }, host) =>
    onRun(host, reference, async (context) => {
      await writeRoundRecord(context.run, summary);
      await afterRound(context);
    }),
  startGeneration: (reference, host) => onRun(host, reference, startGeneration, 'generate'),
  recordTopUp: ({ id, amount, ...reference }, host) =>
    onRun(host, reference, (context) => recordTopUp(context, { id, amount })),
  finishGeneration: (reference, host) => onRun(host, reference, finishGeneration, 'generate'),
  startVerification: (reference, host) => onRun(host, reference, startVerification, 'verify'),
  finishVerification: (reference, host) => onRun(host, reference, finishVerification, 'verify'),
  startJudging: (reference, host) => onRun(host, reference, startJudging, 'judge'),
  finishJudging: (reference, host) => onRun(host, reference, finishJudging, 'judge'),
  gate: ({ given, ...reference }, host) => onRun(host, reference, (context) => gate(context, given), 'gate'),
  approveTypes: ({ given, ...reference }, host) => onRun(host, reference, (context) => approveTypes(context, given)),
  prune: ({ dryRun, beside, ...named }, { signal, extensions, settings: access }) =>
    withNamedRun(named, { signal, extensions, access }, (run, given) =>
      prune(run, { dryRun: dryRun === true, retention: given?.retention, beside }),
    ),
  notify: ({ text, ...reference }, host) => onRun(host, reference, (context) => notify(context, { text })),
  acceptPrompt: (input, host) => onRun(host, input, (context) => acceptIteration(context, input)),
  async preparePromptOptimization({ config: file, dataRoot, seed, forRun, workflowId }, host) {
    const { signal, onProgress, extensions, settings: access } = host;
    const config = await loadConfig(file, { dataRoot, seed }, access);
    await requireBudget({ config, extensions, access }, { always: true });
    const work = { signal, onProgress, extensions, access };
    const name = runNameOf(workflowId);
    await refuseFolderOfRun(config, name, access);
    return withNewRun(config, name, work, async (open) => {
      await preparePrompt({ ...work, ...open, round: 0 }, forRun);
      const { stored, root } = open.run;
      return { directory: stored?.uri ?? root, queues: taskQueuesOf(config) };
    });
  },
};
