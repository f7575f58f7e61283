/**
 * How each step of a round runs: most as the activity of their name, some in shards, in a workflow of their own or with a
 * person.
 */
import { workflowInfo } from '@temporalio/workflow';
import { type OutcomeOf, rowOf, type StepName, steps } from '../src/round/steps.ts';
import { cpuActivities, gpuActivities, queueOf, stepActivity } from './activity-options.ts';
import { attended } from './attendance.ts';
import { startOnlyChild } from './children.ts';
import { describeReview } from './details.ts';
import { discoverTypes } from './discover.ts';
import { passGate } from './gate.ts';
import { dataEngineGeneration, dataEngineJudging, dataEngineVerification } from './generation.ts';
import type { GenerationInput } from './inputs.ts';
import { notify, reviewNotification } from './notifications.ts';
import type { RoundState } from './round-state.ts';
import { inShards } from './shards.ts';

/** Where the config says nothing. */
const defaultMaxConcurrentShards = 100;

/** Runs a step and returns its outcome. */
export function runRoundStep<Name extends StepName>(state: RoundState, name: Name): Promise<OutcomeOf<Name>> {
  const run: Runs[Name] = runs[name];
  const work = () => (run ? run(state) : stepActivity(state.plan, name)(state.reference));
  return state.step(name, isOnGpu(state, name) ? () => attended(state, work) : work);
}

/** Whether the step, or its shards, wait for a GPU worker. */
function isOnGpu({ plan }: RoundState, name: StepName): boolean {
  return (
    rowOf(name).shards?.queue === 'gpu' ||
    (rowOf(name).activity !== undefined && queueOf(plan, name) === plan.queues.gpu)
  );
}

type Runs = { [Name in StepName]?: (state: RoundState) => Promise<OutcomeOf<Name>> };

const runs: Runs = {
  embed,
  generate: (state) => askTeacher(state, 'generation', dataEngineGeneration, 'Ask the teacher for the samples'),
  verify: (state) =>
    askTeacher(state, 'verification', dataEngineVerification, 'Ask the teacher its own questions again'),
  append,
  finetune: ({ plan, reference }) => stepActivity(plan, 'finetune', plan.finetuneTimeoutMinutes)(reference),
  evaluate,
  discover: discoverTypes,
  gate: passGate,
};

/** With `refine.review: manual` it waits, as often as samples are without a decision. */
async function append(state: RoundState): Promise<OutcomeOf<'append'>> {
  const { plan, reference } = state;
  const { workflowId } = workflowInfo();
  for (;;) {
    const outcome = await stepActivity(plan, 'append')(reference);
    const { undecided = 0 } = outcome;
    if (undecided === 0) return outcome;
    const waiting = { workflowId, run: plan.run, round: reference.round, undecided };
    void notify(plan, 'approval', reference.round, reviewNotification(waiting));
    await state.untilReviewed(describeReview(waiting));
  }
}

async function embed({ plan, reference }: RoundState): Promise<OutcomeOf<'embed'>> {
  const { embeddingShards: count = 1, maxConcurrentShards = defaultMaxConcurrentShards } = plan;
  const { minutes } = steps.embed.shards;
  return inShards(
    maxConcurrentShards,
    count === 1 ? [] : Array.from({ length: count }, (_, shard) => shard),
    (shard) => {
      const gpu = gpuActivities(plan.queues.gpu, `Embed images (shard ${shard + 1} of ${count})`, minutes);
      return gpu.embedShard({ ...reference, shard });
    },
    () => stepActivity(plan, 'embed')(reference),
  );
}

async function evaluate(state: RoundState): Promise<OutcomeOf<'evaluate'>> {
  const { plan, reference } = state;
  const { evaluationSets, evaluationShards: count, maxConcurrentShards = defaultMaxConcurrentShards } = plan;
  const { minutes } = steps.evaluate.shards;
  const { evaluate } = cpuActivities(
    queueOf(plan, 'evaluate'),
    'Join the shards and compute the metrics',
    steps.evaluate.minutes,
  );
  return inShards(
    maxConcurrentShards,
    evaluationSets.flatMap((set) => Array.from({ length: count }, (_, shard) => ({ set, shard }))),
    ({ set, shard }) => {
      const summary = `Score the ${set} questions (shard ${shard + 1} of ${count})`;
      return gpuActivities(plan.queues.gpu, summary, minutes).evaluateShard({ ...reference, set, shard });
    },
    async () => {
      if (plan.judges !== true) return evaluate(reference);
      const judged = await askTeacher(state, 'judging', dataEngineJudging, "Have the model's answers judged");
      const joined = await evaluate(reference);
      return { ...joined, seconds: joined.seconds + judged.seconds };
    },
  );
}

/** @param id of the child, after that of the round */
async function askTeacher<Outcome>(
  state: RoundState,
  id: string,
  workflow: (input: GenerationInput) => Promise<Outcome>,
  summary: string,
): Promise<Outcome> {
  const { plan, reference } = state;
  const { cpu, teacher } = plan.queues;
  const child = startOnlyChild(workflow, {
    workflowId: `${workflowInfo().workflowId}/${id}`,
    args: [{ ...reference, queues: { cpu, teacher } }],
    staticSummary: `${summary} (round ${reference.round})`,
  });
  return state.untilEnded(child);
}
