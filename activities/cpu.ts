/**
 * The activities of the CPU workers.
 */

import { append } from '../src/round/append/append.ts';
import {
  askWorkChunk,
  cancelWorkBatch,
  collectWorkBatch,
  readWorkBatch,
  recordTopUp,
  submitWorkBatch,
} from '../src/round/asking/chunk.ts';
import { classify } from '../src/round/classify/classify.ts';
import { compareRound } from '../src/round/compare/compare.ts';
import { joinEvaluation } from '../src/round/evaluate/evaluate.ts';
import { gate } from '../src/round/gate/gate.ts';
import { finishGeneration, startGeneration } from '../src/round/generate/generate.ts';
import { notify } from '../src/round/notify.ts';
import type {
  AppendOutcome,
  ClassifyOutcome,
  CompareOutcome,
  EvaluateOutcome,
  GateOutcome,
  PrepareDataOutcome,
  RefineOutcome,
  ReportOutcome,
  SampleOutcome,
} from '../src/round/outcomes.ts';
import { ownFolders } from '../src/round/own-folders.ts';
import { prepareData } from '../src/round/prepare-data/prepare-data.ts';
import { refine } from '../src/round/refine/refine.ts';
import { report } from '../src/round/report/report.ts';
import { sample } from '../src/round/sample/sample.ts';
import type { StepContext } from '../src/round/step-context.ts';
import type { StepName } from '../src/round/steps.ts';
import { finishVerification, startVerification } from '../src/round/verify/verify.ts';
import type { RoundSummary } from '../workflows/messages.ts';
import type { GenerationActivities } from './generation.ts';
import { withHeartbeat } from './heartbeat.ts';
import { type PreparedRun, type PrepareRunInput, prepareRun } from './prepare-run.ts';
import type { GateReference, NoticeReference, StepReference } from './references.ts';
import { writeRoundRecord } from './round-records.ts';
import { type ActivityDependencies, asActivity, runStep } from './run-step.ts';

export interface CpuActivities extends GenerationActivities {
  prepareRun(input: PrepareRunInput): Promise<PreparedRun>;
  /** Keeps a finished round's row for later workflows that continue the run. */
  recordRound(input: StepReference & { summary: RoundSummary }): Promise<void>;
  prepareData(reference: StepReference): Promise<PrepareDataOutcome>;
  sample(reference: StepReference): Promise<SampleOutcome>;
  refine(reference: StepReference): Promise<RefineOutcome>;
  append(reference: StepReference): Promise<AppendOutcome>;
  /** Joins the parts that the GPU workers scored. */
  evaluate(reference: StepReference): Promise<EvaluateOutcome>;
  classify(reference: StepReference): Promise<ClassifyOutcome>;
  compareRound(reference: StepReference): Promise<CompareOutcome>;
  /** Decides whether the round is built upon; a person's verdict counts under the policy `approve`. */
  gate(reference: GateReference): Promise<GateOutcome>;
  report(reference: StepReference): Promise<ReportOutcome>;
  /** Tells the config's webhook. */
  notify(notice: NoticeReference): Promise<void>;
}

/** Makes the CPU worker's activities. */
export function createCpuActivities(dependencies: ActivityDependencies): CpuActivities {
  /** A step that writes its own folder. */
  const owning =
    <R>(name: StepName, step: (context: StepContext) => Promise<R>) =>
    (reference: StepReference) =>
      runStep(reference, dependencies, step, ownFolders(reference.round, name));
  return {
    // A run that moves into a store is sent there first, which may take a while.
    prepareRun: (input) => asActivity(() => withHeartbeat(0, () => prepareRun(input, dependencies))),
    recordRound: ({ summary, ...reference }) =>
      runStep(reference, dependencies, ({ run }) => writeRoundRecord(run, summary)),
    prepareData: (reference) => runStep(reference, dependencies, prepareData),
    sample: owning('sample', sample),
    beginGeneration: owning('generate', startGeneration),
    askChunk: ({ chunk, allowance, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => askWorkChunk(context, { chunk, allowance, purpose })),
    submitBatch: ({ chunk, allowance, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => submitWorkBatch(context, { chunk, allowance, purpose })),
    lookAfterBatch: ({ batch, ...reference }) =>
      runStep(reference, dependencies, (context) => readWorkBatch(context, { batch })),
    collectBatch: ({ chunk, batch, purpose, ...reference }) =>
      runStep(reference, dependencies, (context) => collectWorkBatch(context, { chunk, batch, purpose })),
    cancelBatch: ({ batch, ...reference }) =>
      runStep(reference, dependencies, (context) => cancelWorkBatch(context, { batch })),
    recordTopUp: ({ id, amount, ...reference }) =>
      runStep(reference, dependencies, (context) => recordTopUp(context, { id, amount })),
    finishGeneration: owning('generate', finishGeneration),
    beginVerification: owning('verify', startVerification),
    finishVerification: owning('verify', finishVerification),
    refine: owning('refine', refine),
    append: owning('append', append),
    evaluate: owning('evaluate', joinEvaluation),
    classify: owning('classify', classify),
    compareRound: owning('compare', compareRound),
    gate: ({ verdict, ...reference }) =>
      runStep(reference, dependencies, (context) => gate(context, verdict), ownFolders(reference.round, 'gate')),
    report: (reference) => runStep(reference, dependencies, report),
    notify: ({ text, ...reference }) => runStep(reference, dependencies, (context) => notify(context, { text })),
  };
}
