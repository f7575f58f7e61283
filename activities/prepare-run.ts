import { loadConfig } from '../configs/load-config.ts';
import { evaluationSets } from '../steps/evaluation-sets.ts';
import { freezeConfig } from '../steps/frozen-config.ts';
import { verifies } from '../steps/verify.ts';
import { hashValue } from '../store/hash.ts';
import type { DataEngineInput, RunPlan } from '../workflows/messages.ts';

export type PrepareRunInput = Omit<DataEngineInput, 'state'> & { workflowId: string };

/**
 * Reads the config, freezes it in the run directory and returns what the workflows need of it.
 *
 * @throws InputError when the config is wrong
 */
export async function prepareRun(input: PrepareRunInput): Promise<RunPlan> {
  const { config: file, dataRoot, run, seed, rounds, samplingStrategy, workflowId } = input;
  const config = await loadConfig(file, { dataRoot, run, seed, rounds, samplingStrategy });
  const { name, directory } = await freezeConfig(config, config.run ?? runNameOf(workflowId));
  return {
    run: name,
    directory: directory.root,
    configHash: hashValue(config),
    rounds: config.rounds,
    roundsPerExecution: config.temporal.roundsPerExecution,
    evaluationShards: config.evaluate.shards,
    verifies: verifies(config),
    hasTest: config.data.test !== undefined,
    evaluationSets: evaluationSets(config, directory).map((set) => set.name),
    queues: config.temporal.taskQueues,
    finetuneTimeoutMinutes: config.temporal.finetuneTimeoutMinutes,
    ...(config.notify.webhookVariable === undefined ? {} : { notifyOn: config.notify.on }),
    ...(config.gate.policy === 'approve' && { approval: config.gate.approval }),
    failedStep: config.temporal.failedStep.action === 'wait' ? config.temporal.failedStep : undefined,
  };
}

/** Workflow ids may hold anything; a run's name is a folder. */
export function runNameOf(workflowId: string): string {
  return (
    workflowId
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 128) || 'run'
  );
}
