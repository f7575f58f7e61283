/**
 * The activities of Interactive Prompt Optimization: those of the CPU workers, and the requests to the teacher.
 */
import { requireTeacher } from '../src/round/preflight/teacher-server.ts';
import {
  iterationDiff,
  iterationPrompt,
  iterationSamples,
  makeIterationSamples,
  reviseIteration,
} from '../src/round/prompt-optimization.ts';
import type { PromptOptimizationInput } from '../workflows/inputs.ts';
import type { AcceptedPrompt, PromptIteration, PromptPlan, SampleVerdict } from '../workflows/prompt-messages.ts';
import type { StepReference } from './references.ts';
import { type ActivityDependencies, runStep } from './run-step.ts';

/** On the queue of the CPU workers. */
export interface PromptActivities {
  preparePromptOptimization(input: PromptOptimizationInput & { workflowId: string }): Promise<PromptPlan>;
  acceptPrompt(input: StepReference & { iteration: number; forRun?: string }): Promise<AcceptedPrompt>;
}

/** On the queue of the teacher. */
export interface PromptRequests {
  makePromptSamples(
    input: StepReference & { iteration: number; count: number; forRun?: string },
  ): Promise<PromptIteration>;
  /** @returns the change to the next iteration's prompt, as far as it fits a payload */
  revisePrompt(
    input: StepReference & { iteration: number; verdicts: SampleVerdict[]; comment?: string },
  ): Promise<{ diff: string }>;
}

// Payloads stay below 10 KB; the file has the whole diff.
const diffCharacters = 4000;

export function createPromptRequests(dependencies: ActivityDependencies): PromptRequests {
  return {
    makePromptSamples: (input) =>
      runStep(input, dependencies, async (context) => {
        // The first that is asked of the teacher.
        if (input.iteration === 0) await requireTeacher(context);
        const samples = await makeIterationSamples(context, input);
        const { iteration } = input;
        return {
          iteration,
          samples: samples.map(({ id, images, problem }) => ({ id, images, dropped: problem !== undefined })),
          samplesFile: iterationSamples(context.run, iteration),
          promptFile: iterationPrompt(context.run, iteration),
          diffFile: iteration === 0 ? undefined : iterationDiff(context.run, iteration),
        };
      }),
    revisePrompt: (input) =>
      runStep(input, dependencies, async (context) => {
        const { diff } = await reviseIteration(context, input);
        return { diff: diff.length > diffCharacters ? `${diff.slice(0, diffCharacters)}\n…` : diff };
      }),
  };
}
