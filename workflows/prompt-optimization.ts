/**
 * Interactive Prompt Optimization: a person and the teacher improve the generation prompt together.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  condition,
  workflowInfo,
} from '@temporalio/workflow';
import { cpuActivities, promptRequests } from './activity-options.ts';
import { describeProblem } from './details.ts';
import { type PromptOptimizationInput, parseInput, promptOptimizationInputSchema } from './inputs.ts';
import { MessageHandlers } from './message-handlers.ts';
import { decideUpdate, type PromptOptimizationResult, promptProgressQuery, verdictUpdate } from './prompt-messages.ts';
import { PromptState } from './prompt-state.ts';

/**
 * Makes sample generations, waits for a person's verdicts, has the teacher revise the prompt and tries the revision on
 * the same and on fresh images, until the person accepts a prompt or stops.
 */
export async function dataEnginePromptOptimization(given: PromptOptimizationInput): Promise<PromptOptimizationResult> {
  const input = parseInput(promptOptimizationInputSchema, given);
  const { samples: count = 4, forRun } = input;
  const messages = new MessageHandlers();
  const state = new PromptState(messages);
  const { progress } = state;
  messages.query(promptProgressQuery, () => progress);
  messages.update(
    verdictUpdate,
    (verdict) => state.judge(verdict),
    (verdict) => state.checkVerdict(verdict),
  );
  messages.update(
    decideUpdate,
    (decision) => state.decide(decision),
    (decision) => state.checkDecision(decision),
  );
  messages.refuseOtherSignals();

  const { workflowId } = workflowInfo();
  const onOwnQueue = cpuActivities(undefined, 'Read the config and the prompt to start from', 60);
  const { directory, queues } = await onOwnQueue.preparePromptOptimization({ ...input, workflowId });
  progress.directory = directory;
  const teacher = (summary: string) => promptRequests(queues.teacher, summary);
  const reference = { runDirectory: directory, round: 0 };

  const makeSamples = async (iteration: number) => {
    state.enter('making samples');
    const { makePromptSamples } = teacher(`Make sample generations with prompt ${iteration}`);
    state.showSamples(await makePromptSamples({ ...reference, iteration, count, forRun }));
  };

  /** @returns whether there is a next prompt */
  const revise = async (iteration: number, comment: string | undefined) => {
    state.enter('revising');
    const { verdicts } = progress;
    try {
      const { revisePrompt } = teacher(`Have the teacher revise prompt ${iteration}`);
      const { diff } = await revisePrompt({ ...reference, iteration, verdicts, comment });
      Object.assign(progress, { diff, problem: undefined });
      state.closeIteration(iteration);
      return true;
    } catch (error) {
      // The person can rephrase, or, without money, accept what there is; the verdicts are kept.
      if (!isUpToPerson(error)) throw error;
      progress.problem = describeProblem(error);
      return false;
    }
  };

  let iteration = 0;
  await makeSamples(iteration);
  let decision = await state.untilDecided();
  while (decision.action === 'revise') {
    if (await revise(iteration, decision.comment)) {
      iteration += 1;
      await makeSamples(iteration);
    }
    decision = await state.untilDecided();
  }

  const result: PromptOptimizationResult = { iterations: iteration + 1, directory };
  if (decision.action === 'accept') {
    state.enter('accepting');
    const { acceptPrompt } = cpuActivities(queues.cpu, `Make prompt ${iteration} a version`, 60);
    result.accepted = await acceptPrompt({ ...reference, iteration, forRun });
  }
  state.enter('done');
  await condition(allHandlersFinished);
  return result;
}

/** Whether no prompt that can be used was proposed, or there was no money to ask for one. */
function isUpToPerson(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure)) return false;
  return cause.type === 'OutOfBudget' || (cause.type === 'TeacherError' && cause.nonRetryable === true);
}
