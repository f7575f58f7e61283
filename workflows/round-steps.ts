/**
 * How each step of a round runs: most as one activity, some in shards, in a workflow of its own or with a person.
 */
import { startChild, workflowInfo } from '@temporalio/workflow';
import type { CpuActivities } from '../activities/cpu.ts';
import type { GpuActivities } from '../activities/gpu.ts';
import type { EmbedOutcome, EvaluateOutcome } from '../src/round/outcomes.ts';
import { cpuActivities, gpuActivities } from './activity-options.ts';
import { describeGate, roundNumber } from './details.ts';
import { passGate } from './gate.ts';
import { generation, verification } from './generation.ts';
import type { GenerationInput } from './messages.ts';
import type { RoundState, StepOutcomes } from './round-state.ts';
import { inShards } from './shards.ts';

/** Shards with the GPU workers at a time where the config says nothing: the server stays quick. */
const defaultMaxConcurrentShards = 100;

/** Runs a step and returns what it came to. */
export function runRoundStep<Name extends keyof StepOutcomes>(
  state: RoundState,
  name: Name,
): Promise<StepOutcomes[Name]> {
  return state.step(name, () => run[name](state), describe[name]);
}

type Runs = { [Name in keyof StepOutcomes]: (state: RoundState) => Promise<StepOutcomes[Name]> };

const run: Runs = {
  embed,
  sample: (state) =>
    cpu(state, 'Choose what to ask for from the bad cases of the last good round', 60).sample(state.reference),
  generate: (state) =>
    askTeacher(state, generation, {
      id: 'generation',
      summary: `Ask the teacher for the samples of round ${state.reference.round}`,
    }),
  verify: (state) =>
    askTeacher(state, verification, {
      id: 'verification',
      summary: `Ask the teacher its own questions of round ${state.reference.round} again`,
    }),
  refine: (state) => cpu(state, 'Parse and filter the answers', 60).refine(state.reference),
  append: (state) => cpu(state, 'Append the dataset version', 30).append(state.reference),
  finetune: (state) =>
    gpu(state, `Finetune the adapter of round ${state.reference.round}`, state.plan.finetuneTimeoutMinutes).finetune(
      state.reference,
    ),
  merge: (state) => gpu(state, 'Merge the adapter into the base model', 60).merge(state.reference),
  evaluate,
  classify: (state) => cpu(state, 'Sort the bad cases by question type', 360).classify(state.reference),
  gate: passGate,
};

type Descriptions = { [Name in keyof StepOutcomes]: (outcome: StepOutcomes[Name]) => string };

const describe: Descriptions = {
  embed: ({ images }) => `${images} images`,
  sample: ({ requests }) => `${requests} requests`,
  generate: ({ answers, unanswered }) => `${answers} answers${unanswered > 0 ? `, ${unanswered} left out` : ''}`,
  verify: ({ answers, samples, unanswered = 0 }) =>
    `${answers} answers about ${samples} samples${unanswered > 0 ? `, ${unanswered} left out` : ''}`,
  refine: ({ accepted, rejected }) => `${accepted} accepted, ${rejected} rejected`,
  append: ({ version }) => `version ${version.slice(0, 12)}`,
  finetune: ({ samples, loss }) => `${samples} samples, loss ${roundNumber(loss, 3)}`,
  merge: ({ parity }) => `parity ${parity}`,
  evaluate: ({ multipleChoice, testMultipleChoice: test }) =>
    `MC ${roundNumber(multipleChoice, 1)} %${test === undefined ? '' : `, test MC ${roundNumber(test, 1)} %`}`,
  classify: ({ badCases }) => `${badCases} bad cases`,
  gate: describeGate,
};

async function embed(state: RoundState): Promise<EmbedOutcome> {
  const { plan, reference } = state;
  const { embeddingShards: count = 1, partsAtOnce = defaultMaxConcurrentShards } = plan;
  const shards = count === 1 ? [] : Array.from({ length: count }, (_, shard) => shard);
  return inShards(
    partsAtOnce,
    shards,
    (shard) =>
      gpu(state, `Embed the pool of images (shard ${shard + 1} of ${count})`, 360).embedShard({ ...reference, shard }),
    () => gpu(state, 'Embed the pool of images', 360).embed(reference),
  );
}

async function evaluate(state: RoundState): Promise<EvaluateOutcome> {
  const { plan, reference } = state;
  const { evaluationSets, evaluationShards: count, partsAtOnce = defaultMaxConcurrentShards } = plan;
  const shards = evaluationSets.flatMap((set) => Array.from({ length: count }, (_, shard) => ({ set, shard })));
  return inShards(
    partsAtOnce,
    shards,
    ({ set, shard }) =>
      gpu(state, `Score the ${set} questions (shard ${shard + 1} of ${count})`, 360).evaluateShard({
        ...reference,
        set,
        shard,
      }),
    () => cpu(state, 'Join the shards and compute the metrics', 30).evaluate(reference),
  );
}

async function askTeacher<Outcome>(
  state: RoundState,
  workflow: (input: GenerationInput) => Promise<Outcome>,
  { id, summary }: { id: string; summary: string },
): Promise<Outcome> {
  const child = startChild(workflow, {
    workflowId: `${workflowInfo().workflowId}/${id}`,
    args: [{ ...state.reference, taskQueue: state.plan.queues.cpu }],
    staticSummary: summary,
  });
  return state.untilEnded(child);
}

function cpu({ plan }: RoundState, summary: string, minutes: number): CpuActivities {
  return cpuActivities(summary, minutes, plan.queues.cpu);
}

function gpu({ plan }: RoundState, summary: string, minutes: number): GpuActivities {
  return gpuActivities(plan, summary, minutes);
}
