/**
 * The activities of the CPU workers.
 */
import { recordTopUp } from '../src/round/asking/chunk.ts';
import type { GenerationPlan } from '../src/round/asking/plan.ts';
import { gate } from '../src/round/gate/gate.ts';
import type { GateOutcome } from '../src/round/gate/results.ts';
import { finishGeneration, startGeneration } from '../src/round/generate/generate.ts';
import type { GenerateOutcome } from '../src/round/generate/results.ts';
import { notify } from '../src/round/notify.ts';
import { ownFolders } from '../src/round/own-folders.ts';
import type { StepContext } from '../src/round/step-context.ts';
import type { StepName } from '../src/round/steps.ts';
import type { VerifyOutcome } from '../src/round/verify/results.ts';
import { finishVerification, startVerification } from '../src/round/verify/verify.ts';
import type { RoundSummary } from '../workflows/inputs.ts';
import { withHeartbeat } from './heartbeat.ts';
import { type PreparedRun, type PrepareRunInput, prepareRun } from './prepare-run.ts';
import { createPromptActivities, type PromptActivities } from './prompt.ts';
import { type GateReference, type NotificationReference, type StepReference, withParsedInputs } from './references.ts';
import { writeRoundRecord } from './round-records.ts';
import { type ActivityDependencies, asActivity, runStep } from './run-step.ts';
import { loadStepActivities, type StepActivities } from './step-activities.ts';

export interface CpuActivities extends StepActivities<'cpu'>, PromptActivities {
  prepareRun(input: PrepareRunInput): Promise<PreparedRun>;
  /** Keeps a finished round's row for later workflows that continue the run. */
  recordRound(input: StepReference & { summary: RoundSummary }): Promise<void>;
  startGeneration(reference: StepReference): Promise<GenerationPlan>;
  finishGeneration(reference: StepReference): Promise<GenerateOutcome>;
  startVerification(reference: StepReference): Promise<GenerationPlan>;
  finishVerification(reference: StepReference): Promise<VerifyOutcome>;
  /** Recording a top-up again changes nothing. */
  recordTopUp(reference: StepReference & { id: string; amount: number }): Promise<void>;
  /** Decides whether the round is built upon; a person's decision counts under the policy `approve`. */
  gate(reference: GateReference): Promise<GateOutcome>;
  /** Posts to the config's webhook. */
  notify(notification: NotificationReference): Promise<void>;
}

const stepActivities = await loadStepActivities('cpu');

/** Makes the CPU worker's activities. */
export function createCpuActivities(dependencies: ActivityDependencies): CpuActivities {
  const run = <R>(reference: StepReference, work: (context: StepContext) => Promise<R>, writes?: StepName) =>
    runStep(reference, dependencies, work, { owns: writes && ownFolders(reference.round, writes) });
  return withParsedInputs({
    ...stepActivities(dependencies),
    // A run that moves into a store is uploaded first, which may take a while.
    prepareRun: (input) => asActivity(() => withHeartbeat(0, () => prepareRun(input, dependencies))),
    recordRound: ({ summary, ...reference }) => run(reference, (context) => writeRoundRecord(context.run, summary)),
    startGeneration: (reference) => run(reference, startGeneration, 'generate'),
    recordTopUp: ({ id, amount, ...reference }) => run(reference, (context) => recordTopUp(context, { id, amount })),
    finishGeneration: (reference) => run(reference, finishGeneration, 'generate'),
    startVerification: (reference) => run(reference, startVerification, 'verify'),
    finishVerification: (reference) => run(reference, finishVerification, 'verify'),
    gate: ({ given, ...reference }) => run(reference, (context) => gate(context, given), 'gate'),
    notify: ({ text, ...reference }) => run(reference, (context) => notify(context, { text })),
    ...createPromptActivities(dependencies),
  });
}
