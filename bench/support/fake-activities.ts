/**
 * Activities that do no work, for what looks at the workflows alone.
 */
import type { CpuActivities } from '../../activities/cpu.ts';
import type { GpuActivities } from '../../activities/gpu.ts';
import type { StepActivities } from '../../activities/step-activities.ts';
import type { TeacherActivities } from '../../activities/teacher.ts';
import { rowOf, stepNames } from '../../src/round/steps.ts';
import type { RunPlan } from '../../workflows/inputs.ts';
import { type FakeGeneration, fakeGeneration, fakePromptActivities, generationPlan } from './fake-generation.ts';

const outcome = { seconds: 1.5, reused: false };

/** A generation that was done before; tests of the workflow `dataEngineGeneration` use the real activities. */
function doneGeneration(calls: string[]): FakeGeneration {
  const { finishGeneration, finishJudging, ...activities } = fakeGeneration({
    ...generationPlan,
    done: true,
    requests: 6,
  });
  return {
    ...activities,
    finishGeneration: async (reference) => {
      calls.push(`generate ${reference.round}`);
      const joined = await finishGeneration(reference);
      return { ...joined, promptTokens: 60, completionTokens: 30 };
    },
    finishJudging: async (reference) => {
      calls.push(`judge ${reference.round}`);
      return finishJudging(reference);
    },
    finishVerification: async ({ round }) => {
      calls.push(`verify ${round}`);
      return { ...outcome, samples: 6, answers: 18, unanswered: 0, promptTokens: 180, completionTokens: 90 };
    },
  };
}

/** A round that is no worse than the one before it. */
export function comparison(round: number) {
  return {
    builtOn: round === 0 ? undefined : round - 1,
    asksPerson: false,
    worse: false,
    reason: round === 0 ? '' : 'gain of 1.5 points is not significant (p 0.14, 200 questions)',
    change: round === 0 ? 0 : 1.5,
    pValue: 1,
    remembered: round === 0 ? 0 : 40,
    forgotten: round === 0 ? 0 : 3,
  };
}

/** An activity for each step of the table, so that a step that is added there needs nothing here. */
function stepActivities(make: (activity: string) => unknown): StepActivities<'cpu'> & StepActivities<'gpu'> {
  const names = stepNames.flatMap((name) => rowOf(name).activity ?? []);
  return Object.fromEntries(names.map((name) => [name, make(name)])) as ReturnType<typeof stepActivities>;
}

/** All activities, each adding its name and round to `calls`. With an `approval` or a `discovery` in the plan, rounds ask a person. */
export function fakeActivities(plan: RunPlan, calls: string[]): CpuActivities & GpuActivities & TeacherActivities {
  const called =
    <R>(name: string, result: R) =>
    async ({ round }: { round: number }): Promise<R> => {
      calls.push(`${name} ${round}`);
      return { ...outcome, ...result };
    };
  const approvedTypes = new Set<number>();
  return {
    ...stepActivities((name) => called(name, {})),
    prepareRun: async () => {
      calls.push('prepareRun');
      return plan;
    },
    recordRound: async ({ round }) => {
      calls.push(`record ${round}`);
    },
    prepareData: called('prepareData', { ...outcome, questions: 4, images: 4 }),
    embed: called('embed', { ...outcome, images: 4 }),
    embedShard: called('embedShard', { ...outcome, images: 2 }),
    sample: called('sample', { ...outcome, requests: 6 }),
    ...doneGeneration(calls),
    ...fakePromptActivities(plan.queues.cpu),
    refine: called('refine', { ...outcome, accepted: 5, rejected: 1 }),
    select: called('select', { ...outcome, accepted: 4, rejected: 1, tooEasy: 1, tooHard: 0, spare: 0 }),
    append: called('append', { ...outcome, version: 'abcdef', samplesAdded: 5 }),
    finetune: called('finetune', { ...outcome, samples: 20, steps: 10, loss: 1.25 }),
    merge: called('merge', { ...outcome, parity: 1e-6 }),
    evaluateShard: called('evaluateShard', { ...outcome, questions: 2 }),
    evaluate: called('evaluate', {
      ...outcome,
      multipleChoice: 50,
      directAnswer: 40,
      testMultipleChoice: 45,
      testDirectAnswer: 35,
      questions: 4,
    }),
    classify: called('classify', { ...outcome, badCases: 2, errorByType: { counting: 0.5 } }),
    compare: async ({ round }) => ({
      ...outcome,
      ...comparison(round),
      asksPerson: round > 0 && plan.approval !== undefined,
    }),
    gate: async ({ round, given }) => {
      calls.push(`gate ${round}${given === undefined ? '' : ` ${given.by} ${given.decision}`}`);
      const accepted = given?.decision !== 'reject';
      const by = round === 0 ? 'first' : (given?.by ?? 'test');
      return { ...outcome, ...comparison(round), accepted, by, reason: '', lastGood: accepted ? round : round - 1 };
    },
    discover: async ({ round }) => {
      calls.push(`discover ${round}`);
      const file = `/run/question-types/round-${round}.yaml`;
      return { ...outcome, types: 5, proposed: 4, file, waits: !approvedTypes.has(round) };
    },
    approveTypes: async ({ round, given }) => {
      calls.push(`approveTypes ${round} ${given.by}`);
      approvedTypes.add(round);
      return { types: given.types?.length ?? 5 };
    },
    report: called('report', { ...outcome, file: '/run/report.html' }),
    lookForWorkers: async () => ({ polled: true }),
    notify: async ({ text }) => {
      calls.push(`notify ${text}`);
    },
    prune: async ({ run = 'demo', dryRun = false }) => {
      calls.push('prune');
      const removed = [{ kind: 'model' as const, files: 2, bytes: 27e9 }];
      return {
        run,
        rounds: 3,
        dryRun,
        kept: [{ round: 2, why: 'the last good one' }],
        needed: [],
        removed,
        bytes: 27e9,
      };
    },
  };
}
