/**
 * One round: generate data against the last good round's weaknesses, train on all of it, measure, and decide whether it
 * is built upon.
 */
import {
  allHandlersFinished,
  type ChildWorkflowHandle,
  condition,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { cpuActivities, gpuActivities } from './activity-options.ts';
import { atMost } from './at-most.ts';
import { describeGate, describeSteps, describeWaiting, roundNumber } from './details.ts';
import { roundGate } from './gate.ts';
import { generation, verification } from './generation.ts';
import {
  type EndedEarly,
  type RoundInput,
  type RoundSummary,
  roundProgressQuery,
  type StepRecord,
} from './messages.ts';
import { followSteering, tellRun } from './round-steering.ts';
import { steerSignal } from './steering-messages.ts';
import { stepAttempts } from './step-attempts.ts';

/**
 * Round 0 finetunes, merges, evaluates and classifies. Later rounds first sample, generate, refine and append. Each
 * passes the gate at its end.
 */
export async function round({ plan, round, paused }: RoundInput): Promise<RoundSummary | EndedEarly> {
  const steps: StepRecord[] = [];
  let asking: Pick<ChildWorkflowHandle<typeof generation>, 'signal'> | undefined;
  const { partsAtOnce = 100 } = plan;
  const attempts = stepAttempts({
    round,
    paused,
    failedStep: () => plan.failedStep,
    tell: async (record) => {
      setCurrentDetails(describeSteps(round, steps));
      await tellRun(round, record, attempts);
    },
  });
  setHandler(roundProgressQuery, () => ({ round, steps }));
  // The generation may have ended meanwhile.
  followSteering(attempts, async (steer) => asking?.signal(steerSignal, steer).catch(() => undefined));

  const reference = { runDirectory: plan.directory, round };
  const passGate = roundGate(plan, reference);
  const cpu = (summary: string, minutes: number) => cpuActivities(summary, minutes, plan.queues.cpu);
  const gpu = (summary: string, minutes: number) => gpuActivities(plan, summary, minutes);

  async function step<R extends { seconds: number }>(
    name: string,
    work: () => Promise<R>,
    note: (result: R) => string,
  ): Promise<R> {
    const record: StepRecord = { name, state: 'running' };
    steps.push(record);
    const result = await attempts.attempt(record, work);
    Object.assign(record, { state: 'done', seconds: result.seconds, note: note(result) });
    setCurrentDetails(describeSteps(round, steps));
    return result;
  }

  /** Does a step in parts, then joins them; its time is that of all. */
  async function inParts<Part, R extends { seconds: number }>(
    parts: readonly Part[],
    work: (part: Part) => Promise<{ seconds: number }>,
    join: () => Promise<R>,
  ): Promise<R> {
    const done = await atMost(partsAtOnce, parts, work);
    const joined = await join();
    return { ...joined, seconds: joined.seconds + done.reduce((sum, part) => sum + part.seconds, 0) };
  }

  /** Waits for a child that asks the teacher, and passes on whether the run is paused. */
  async function untilAsked<Asking extends typeof generation | typeof verification>(
    started: Promise<ChildWorkflowHandle<Asking>>,
  ) {
    const { paused } = attempts;
    const child = await started;
    asking = child;
    if (attempts.paused !== paused) await child.signal(steerSignal, { paused: attempts.paused ?? null });
    return child.result().finally(() => {
      asking = undefined;
    });
  }

  async function makeData() {
    if (round === 1) {
      await step(
        'embed',
        () => {
          const { embeddingShards: count = 1 } = plan;
          return inParts(
            count === 1 ? [] : Array.from({ length: count }, (_, shard) => shard),
            (shard) =>
              gpu(`Embed the pool of images (part ${shard + 1} of ${count})`, 360).embedShard({
                ...reference,
                shard,
              }),
            () => gpu('Embed the pool of images', 360).embed(reference),
          );
        },
        (result) => `${result.images} images`,
      );
    }
    const sampled = await step(
      'sample',
      () => cpu('Choose what to ask for from the bad cases of the last good round', 60).sample(reference),
      (result) => `${result.requests} requests`,
    );
    if (sampled.requests === 0) return 'no bad case is left to learn from, or no image to ask about';
    const answers = await step(
      'generate',
      () =>
        untilAsked(
          startChild(generation, {
            workflowId: `${workflowInfo().workflowId}/generation`,
            args: [{ ...reference, taskQueue: plan.queues.cpu }],
            staticSummary: `Ask the teacher for the samples of round ${round}`,
          }),
        ),
      (result) => `${result.answers} answers${result.unanswered > 0 ? `, ${result.unanswered} left out` : ''}`,
    );
    const verified = plan.verifies
      ? await step(
          'verify',
          () =>
            untilAsked(
              startChild(verification, {
                workflowId: `${workflowInfo().workflowId}/verification`,
                args: [{ ...reference, taskQueue: plan.queues.cpu }],
                staticSummary: `Ask the teacher its own questions of round ${round} again`,
              }),
            ),
          ({ answers, samples, unanswered = 0 }) =>
            `${answers} answers about ${samples} samples${unanswered > 0 ? `, ${unanswered} left out` : ''}`,
        )
      : undefined;
    const refined = await step(
      'refine',
      () => cpu('Parse and filter the answers', 60).refine(reference),
      (result) => `${result.accepted} accepted, ${result.rejected} rejected`,
    );
    if (refined.accepted === 0) return `none of the teacher's ${answers.answers} answers is fit to learn from`;
    const version = await step(
      'append',
      () => cpu('Append the dataset version', 30).append(reference),
      (result) => `version ${result.version.slice(0, 12)}`,
    );
    return { answers, verified, refined, version };
  }

  const data = round > 0 ? await makeData() : undefined;
  if (typeof data === 'string') {
    await condition(allHandlersFinished);
    return { round, endedEarly: data };
  }

  await step(
    'finetune',
    () => gpu(`Finetune the adapter of round ${round}`, plan.finetuneTimeoutMinutes).finetune(reference),
    (result) => `${result.samples} samples, loss ${roundNumber(result.loss, 3)}`,
  );
  await step(
    'merge',
    () => gpu('Merge the adapter into the base model', 60).merge(reference),
    (result) => `parity ${result.parity}`,
  );
  const scores = await step(
    'evaluate',
    () =>
      inParts(
        plan.evaluationSets.flatMap((set) =>
          Array.from({ length: plan.evaluationShards }, (_, shard) => ({ set, shard })),
        ),
        ({ set, shard }) =>
          gpu(`Score the ${set} questions (part ${shard + 1} of ${plan.evaluationShards})`, 360).evaluateShard({
            ...reference,
            set,
            shard,
          }),
        () => cpu('Join the parts and compute the metrics', 30).evaluate(reference),
      ),
    (result) =>
      plan.hasTest
        ? `MC ${roundNumber(result.multipleChoice, 1)} %, test MC ${roundNumber(result.testMultipleChoice, 1)} %`
        : `MC ${roundNumber(result.multipleChoice, 1)} %`,
  );
  const classified = await step(
    'classify',
    () => cpu('Sort the bad cases by question type', 360).classify(reference),
    (result) => `${result.badCases} bad cases`,
  );

  const {
    seconds: _,
    reused: __,
    ...gate
  } = await step(
    'gate',
    () =>
      passGate((compared) => {
        if (!compared.asksPerson) return;
        (steps.at(-1) as StepRecord).state = 'waiting';
        setCurrentDetails(describeSteps(round, steps) + describeWaiting(workflowInfo().workflowId, compared, data));
      }),
    describeGate,
  );

  await condition(allHandlersFinished);
  return {
    round,
    multipleChoice: scores.multipleChoice,
    directAnswer: scores.directAnswer,
    testMultipleChoice: scores.testMultipleChoice,
    testDirectAnswer: scores.testDirectAnswer,
    badCases: classified.badCases,
    errorByType: classified.errorByType,
    gate,
    samplesAdded: data?.version.samplesAdded ?? 0,
    samplesRejected: data?.refined.rejected ?? 0,
    datasetVersion: data?.version.version,
    teacherTokens: {
      prompt: (data?.answers.promptTokens ?? 0) + (data?.verified?.promptTokens ?? 0),
      completion: (data?.answers.completionTokens ?? 0) + (data?.verified?.completionTokens ?? 0),
    },
    seconds: Object.fromEntries(steps.map(({ name, seconds = 0 }) => [name, seconds])),
  };
}
