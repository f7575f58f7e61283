/**
 * The activities of the CPU workers.
 */
import { append } from '../steps/append.ts';
import { classify } from '../steps/classify.ts';
import { joinEvaluation } from '../steps/evaluate.ts';
import { generate } from '../steps/generate.ts';
import type {
  AppendOutcome,
  ClassifyOutcome,
  EvaluateOutcome,
  GenerateOutcome,
  PrepareDataOutcome,
  RefineOutcome,
  ReportOutcome,
  SampleOutcome,
} from '../steps/outcomes.ts';
import { prepareData } from '../steps/prepare-data.ts';
import { refine } from '../steps/refine.ts';
import { report } from '../steps/report.ts';
import { sample } from '../steps/sample.ts';
import type { RunPlan } from '../workflows/messages.ts';
import { type PrepareRunInput, prepareRun } from './prepare-run.ts';
import type { StepReference } from './references.ts';
import { type ActivityDependencies, asActivity, runStep } from './run-step.ts';

export interface CpuActivities {
  prepareRun(input: PrepareRunInput): Promise<RunPlan>;
  prepareData(reference: StepReference): Promise<PrepareDataOutcome>;
  sample(reference: StepReference): Promise<SampleOutcome>;
  generate(reference: StepReference): Promise<GenerateOutcome>;
  refine(reference: StepReference): Promise<RefineOutcome>;
  append(reference: StepReference): Promise<AppendOutcome>;
  /** Joins the parts that the GPU workers scored. */
  evaluate(reference: StepReference): Promise<EvaluateOutcome>;
  classify(reference: StepReference): Promise<ClassifyOutcome>;
  report(reference: StepReference): Promise<ReportOutcome>;
}

/** Makes the CPU worker's activities. */
export function createCpuActivities(dependencies: ActivityDependencies = {}): CpuActivities {
  return {
    prepareRun: (input) => asActivity(() => prepareRun(input)),
    prepareData: (reference) => runStep(reference, dependencies, prepareData),
    sample: (reference) => runStep(reference, dependencies, sample),
    generate: (reference) => runStep(reference, dependencies, generate),
    refine: (reference) => runStep(reference, dependencies, refine),
    append: (reference) => runStep(reference, dependencies, append),
    evaluate: (reference) => runStep(reference, dependencies, joinEvaluation),
    classify: (reference) => runStep(reference, dependencies, classify),
    report: (reference) => runStep(reference, dependencies, report),
  };
}
