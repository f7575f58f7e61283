import { loadConfig } from '../src/config/load-config.ts';
import type { Config } from '../src/config/schema.ts';
import { taskQueuesOf } from '../src/config/workflow-schemas.ts';
import type { Access } from '../src/core/access.ts';
import { hashValue } from '../src/core/hash.ts';
import { evaluationSets } from '../src/round/evaluation-sets.ts';
import { judges } from '../src/round/judge/work.ts';
import { newRunReference, withNewRun } from '../src/round/open-run.ts';
import { requireBudget } from '../src/round/paid-teacher.ts';
import { selects } from '../src/round/select/results.ts';
import { verifies } from '../src/round/verify/verify.ts';
import { compactRounds } from '../workflows/details.ts';
import type { DataEngineInput, RoundSummary, RunPlan } from '../workflows/inputs.ts';
import { readRoundRecords } from './round-records.ts';
import type { TaskHost } from './run-step.ts';

export type PrepareRunInput = Omit<DataEngineInput, 'state'> & {
  workflowId: string;
  /** The schedule that started the workflow, whose id has the time added. */
  scheduledBy?: string;
};

/** The run's plan, and the rounds that earlier workflows of the same run have finished. */
export interface PreparedRun extends RunPlan {
  earlier?: RoundSummary[];
}

/**
 * The run that a workflow starts, or continues: the one that its input names, or its config; otherwise that of its id, or of the
 * schedule that has started it.
 *
 * @returns its config, name, and path or URI
 * @throws InputError when the config is wrong, or may not be read
 */
export async function runToStart(
  input: PrepareRunInput,
  access: Access,
): Promise<{ config: Config; name: string; reference: string }> {
  const { config: file, dataRoot, run, seed, rounds, samplingStrategy, workflowId, scheduledBy } = input;
  const config = await loadConfig(file, { dataRoot, run, seed, rounds, samplingStrategy }, access);
  const name = config.run ?? runNameOf(scheduledBy ?? workflowId);
  return { config, name, reference: newRunReference(config, name) };
}

/**
 * Reads the config, freezes it in the run's directory and returns what the workflows need from it.
 *
 * @throws InputError when the config is wrong, names what this worker may not touch, or a teacher that costs money without a
 *   budget
 */
export async function prepareRun(
  input: PrepareRunInput,
  { searchAttributes = false, extensions, settings: access, signal, onProgress, epoch }: TaskHost,
): Promise<PreparedRun> {
  const { rounds, scheduledBy } = input;
  const { config, name } = await runToStart(input, access);
  // A schedule without a number of rounds adds one each time.
  const more = input.more ?? (scheduledBy !== undefined && rounds === undefined ? 1 : undefined);
  await requireBudget({ config, extensions, access });
  const work = { epoch, signal, onProgress, extensions, access };
  const started = await withNewRun(config, name, work, async ({ run }) => ({
    directory: run.stored?.uri ?? run.root,
    earlier: more === undefined ? undefined : await readRoundRecords(run),
    evaluationSets: evaluationSets(config, run).map((set) => set.name),
  }));
  const { earlier } = started;
  return {
    run: name,
    directory: started.directory,
    configHash: hashValue(config),
    rounds: more === undefined ? config.rounds : (earlier?.at(-1)?.round ?? 0) + more,
    earlier: earlier && compactRounds(earlier),
    searchAttributes,
    roundsPerExecution: config.temporal.roundsPerExecution,
    evaluationShards: config.evaluate.shards,
    maxConcurrentShards: config.temporal.maxConcurrentShards,
    ...(config.sampling.embeddingShards > 1 && { embeddingShards: config.sampling.embeddingShards }),
    verifies: verifies(config),
    ...(judges(config) && { judges: true }),
    ...(config.teacher.serve !== undefined && { servesTeacher: true }),
    ...(config.gate.serving !== undefined && { checksServing: true }),
    ...(selects(config) && { selects: true }),
    ...(config.refine.review === 'manual' && { reviews: true }),
    hasTest: config.data.test !== undefined,
    evaluationSets: started.evaluationSets,
    queues: taskQueuesOf(config),
    finetuneTimeoutMinutes: config.temporal.finetuneTimeoutMinutes,
    ...(config.notify.webhookVariable === undefined ? {} : { notifyOn: config.notify.on }),
    ...(config.gate.policy === 'approve' && { approval: config.gate.approval }),
    ...(config.questionTypes.source === 'discover' && {
      discovery: { timeoutHours: config.questionTypes.timeoutHours },
    }),
    failedStep: config.temporal.failedStep.action === 'wait' ? config.temporal.failedStep : undefined,
  };
}

/** The name of a run by the id of its workflow, which may contain characters that a folder's name can't. */
export function runNameOf(workflowId: string): string {
  return (
    workflowId
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 128) || 'run'
  );
}
