/**
 * The workflows that ask the teacher all requests of a round, within limits and budget.
 */
import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { CpuActivities } from '../activities/cpu.ts';
import type { StepReference } from '../activities/references.ts';
import type { GenerationPlan } from '../src/round/asking/plan.ts';
import type { GenerateOutcome } from '../src/round/generate/results.ts';
import type { JudgeOutcome } from '../src/round/judge/results.ts';
import type { VerifyOutcome } from '../src/round/verify/results.ts';
import { cpuActivities } from './activity-options.ts';
import { ChunkWindow } from './chunk-window.ts';
import { type GenerationInput, generationInputSchema, generationState, parseContinued } from './inputs.ts';
import { MessageHandlers, refuse } from './message-handlers.ts';
import { finishEarlyUpdate, generationProgressQuery, topUpUpdate } from './messages.ts';
import { reportTeacherSignal, steerSignal } from './steering-messages.ts';
import { untilEnd } from './until-end.ts';

/**
 * Asks the teacher for new samples, in chunks as activities, or in batches of the Batch API.
 *
 * Each chunk under way takes a fixed share of the limits (`src/teacher/modes.ts`), so the number of chunks under
 * way is what keeps to them. With a budget, the most that a chunk may cost is reserved before it starts; when the rest is
 * too small for one request, the workflow waits for `topUp` or `finishEarly`.
 */
export function dataEngineGeneration(input: GenerationInput): Promise<GenerateOutcome> {
  return askTeacher(input, {
    start: (cpu, reference) => cpu.startGeneration(reference),
    finish: (cpu, reference) => cpu.finishGeneration(reference),
  });
}

/**
 * Asks the teacher about the samples that it wrote, as `dataEngineGeneration` asks for them: within the same budget and
 * limits, with the same updates and queries.
 */
export function dataEngineVerification(input: GenerationInput): Promise<VerifyOutcome> {
  return askTeacher(input, {
    purpose: 'verify',
    start: (cpu, reference) => cpu.startVerification(reference),
    finish: (cpu, reference) => cpu.finishVerification(reference),
  });
}

/** Asks the teacher to judge what a round's model has written, in the same way. */
export function dataEngineJudging(input: GenerationInput): Promise<JudgeOutcome> {
  return askTeacher(input, {
    purpose: 'judge',
    start: (cpu, reference) => cpu.startJudging(reference),
    finish: (cpu, reference) => cpu.finishJudging(reference),
  });
}

/** What they differ in. */
interface Work<Outcome> {
  /** Of the chunks; absent for new samples. */
  purpose?: 'verify' | 'judge';
  start: (cpu: CpuActivities, reference: StepReference) => Promise<GenerationPlan>;
  finish: (cpu: CpuActivities, reference: StepReference) => Promise<Outcome>;
}

async function askTeacher<Outcome>(given: GenerationInput, work: Work<Outcome>): Promise<Outcome> {
  const input = parseContinued(generationInputSchema, given, workflowInfo());
  const messages = new MessageHandlers();
  const window = new ChunkWindow(input, messages, work.purpose);
  handleMessages(window, messages);
  return untilEnd(
    () => askAll(input, window, work),
    (end) => window.enter(end === 'completed' ? 'done' : end),
  );
}

async function askAll<Outcome>(input: GenerationInput, window: ChunkWindow, work: Work<Outcome>): Promise<Outcome> {
  const { queues, runDirectory, round, owner } = input;
  const reference = { runDirectory, round, owner };
  const cpu = (summary: string, minutes: number) => cpuActivities(queues.cpu, summary, minutes);
  if (input.state === undefined) window.start(await work.start(cpu('Plan and estimate', 60), reference));
  if (!window.plan.done) {
    window.enter('asking');
    if (!(await askChunks(window))) {
      const state = generationState.carried(window.state);
      return continueAsNew<typeof dataEngineGeneration>({ ...input, state, paused: window.paused });
    }
  }
  window.enter('joining');
  return work.finish(cpu('Join the answers', 360), reference);
}

function handleMessages(window: ChunkWindow, messages: MessageHandlers): void {
  messages.query(generationProgressQuery, () => window.progress);
  messages.signal(steerSignal, ({ paused }) => {
    if (paused !== undefined) window.paused = paused !== null;
  });
  messages.signal(
    reportTeacherSignal,
    (report) => window.takeReport(report),
    (report) => window.problemWith(report),
  );
  messages.update(
    topUpUpdate,
    ({ amount }) => window.topUp(amount),
    () => {
      if (window.isWithoutBudget) refuse('This run has no budget: teacher.budget is not set');
    },
  );
  messages.update(finishEarlyUpdate, () => window.finishEarly());
  messages.refuseOtherSignals();
}

/** @returns false when the history has become so long that a next execution should ask the rest */
async function askChunks(window: ChunkWindow): Promise<boolean> {
  try {
    while (window.hasWork) {
      window.throwFailure();
      if (window.isHistoryTooLong) {
        await window.handOver();
        return false;
      }
      if (window.isHeldInVain) await window.stopServer();
      else if (window.isEmpty && window.paused) await window.untilResumed();
      else if (window.isOpen && window.isAffordable) window.startNext();
      else if (window.isOpen && window.isEmpty) {
        if (window.plan.whenReached === 'finish') break;
        await window.untilToppedUp();
      } else await window.untilChanged();
    }
    window.throwFailure();
    return true;
  } catch (error) {
    await window.cancel();
    throw error;
  }
}
